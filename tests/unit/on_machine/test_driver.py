"""What is done about a driver: the table of drivers, configurations and machines."""

from pathlib import Path

import pytest

from components.on_machine.driver import decision as driver
from components.on_machine.driver.decision import COMPAT_BRANCHES, MODES, Decision, Machine, decide

GH200 = "NVIDIA GH200 480GB"
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch"
PINNED = "0.32.0"


def machine(version: str = "", ubuntu: str = "24.04", architecture: str = "aarch64", **more: object) -> Machine:
    return Machine(version, GH200 if version else "", ubuntu, architecture)._replace(**more)  # type: ignore[arg-type]


def action(mode: str, version: str, install: str = "wheel", vllm: str = PINNED) -> str:
    return decide(mode, machine(version), install, vllm).action


@pytest.mark.parametrize(
    ("version", "by_mode"),
    [
        ("580.105.08", {"auto": "keep", "compat": "keep", "upgrade": "keep", "keep": "keep"}),
        ("610.12.01", {"auto": "keep", "compat": "keep", "upgrade": "keep", "keep": "keep"}),
        ("575.57.08", {"auto": "compat", "compat": "compat", "upgrade": "upgrade", "keep": "refuse"}),
        ("570.148.08", {"auto": "compat", "compat": "compat", "upgrade": "upgrade", "keep": "refuse"}),
        ("550.163.01", {"auto": "compat", "compat": "compat", "upgrade": "upgrade", "keep": "refuse"}),
        ("535.261.03", {"auto": "compat", "compat": "compat", "upgrade": "upgrade", "keep": "refuse"}),
        ("560.35.05", {"auto": "refuse", "compat": "refuse", "upgrade": "upgrade", "keep": "refuse"}),
        ("470.256.02", {"auto": "refuse", "compat": "refuse", "upgrade": "upgrade", "keep": "refuse"}),
    ],
)
def test_every_driver_and_mode_has_one_answer(version: str, by_mode: dict[str, str]) -> None:
    assert {mode: action(mode, version) for mode in MODES} == by_mode


@pytest.mark.parametrize("ubuntu", ["22.04", "24.04"])
@pytest.mark.parametrize("architecture", ["aarch64", "x86_64"])
def test_the_answer_is_the_same_on_every_machine_of_lambdas(ubuntu: str, architecture: str) -> None:
    old = machine("570.148.08", ubuntu, architecture)
    assert [decide(mode, old, "wheel", PINNED).action for mode in MODES] == ["compat", "compat", "upgrade", "refuse"]


def test_auto_never_reboots() -> None:
    for branch in range(450, 620, 5):
        assert action("auto", f"{branch}.10.01") in {"keep", "compat", "refuse"}


def test_a_reason_names_the_driver_that_is_there_and_the_one_that_is_needed() -> None:
    decision = decide("auto", machine("570.148.08"), "wheel", PINNED)
    assert decision == Decision(
        "compat",
        "driver 570.148.08 is older than 580, which vLLM 0.32.0 needs: cuda-compat-13-0 brings CUDA 13 to it "
        "without a reboot",
    )


def test_keep_with_an_old_driver_names_the_three_ways_out() -> None:
    reason = decide("keep", machine("570.148.08"), "wheel", PINNED).reason
    for way in ("`driver: compat`", "`driver: upgrade`", "`install: source` with vllmVersion 0.19.1"):
        assert way in reason
    assert "\n" not in reason


def test_a_branch_that_the_libraries_leave_out_is_refused_with_those_they_support() -> None:
    reason = decide("auto", machine("560.35.05"), "wheel", PINNED).reason
    assert "cuda-compat-13-0 supports the drivers 535, 550, 565, 570, 575, not 560" in reason
    assert "set `driver: upgrade`" in reason
    assert all(action("auto", f"{branch}.1") == "compat" for branch in COMPAT_BRANCHES)


@pytest.mark.parametrize("gpu", ["NVIDIA RTX A6000", "Quadro RTX 6000", "NVIDIA GeForce RTX 4090", "NVIDIA TITAN V"])
def test_the_libraries_are_not_put_under_a_gpu_they_are_not_for(gpu: str) -> None:
    decision = decide("auto", machine("570.148.08", gpu=gpu), "wheel", PINNED)
    assert decision.action == "refuse"
    assert f"which {gpu} is not" in decision.reason


@pytest.mark.parametrize("gpu", ["NVIDIA A10", "NVIDIA A100-SXM4-40GB", "NVIDIA H100 PCIe", "NVIDIA B200", GH200])
def test_data_centre_gpus_get_the_libraries(gpu: str) -> None:
    assert decide("auto", machine("570.148.08", gpu=gpu), "wheel", PINNED).action == "compat"


@pytest.mark.parametrize(
    ("version", "vllm", "done"),
    [
        ("570.148.08", "0.19.1", ["keep", "keep", "upgrade", "keep"]),
        ("550.163.01", "0.19.1", ["refuse", "refuse", "upgrade", "refuse"]),
        ("580.105.08", "0.19.1", ["keep", "keep", "keep", "keep"]),
        ("570.148.08", "0.20.0", ["compat", "compat", "upgrade", "refuse"]),
        ("570.148.08", "0.33.0", ["compat", "compat", "upgrade", "refuse"]),
    ],
)
def test_a_vllm_for_cuda_12_from_source_runs_with_the_stock_driver(version: str, vllm: str, done: list[str]) -> None:
    assert [action(mode, version, "source", vllm) for mode in MODES] == done


def test_a_mismatch_is_cured_by_a_reboot_that_was_allowed_and_named_otherwise() -> None:
    broken = machine(failure=MISMATCH)
    assert decide("upgrade", broken, "wheel", PINNED).action == "reboot"
    for mode in ("auto", "compat", "keep"):
        decision = decide(mode, broken, "wheel", PINNED)
        assert decision.action == "refuse"
        assert "reboot the machine" in decision.reason


@pytest.mark.parametrize("mode", MODES)
def test_an_upgrade_that_waits_for_its_reboot_gets_it(mode: str) -> None:
    for waiting in (machine(failure=MISMATCH), machine("570.148.08"), machine()):
        assert decide(mode, waiting._replace(upgrade_pending=True), "wheel", PINNED).action == "reboot"


def test_a_gpu_without_a_driver_is_no_reason_to_use_the_cpu() -> None:
    assert decide("auto", machine(), "wheel", PINNED).action == "refuse"
    assert decide("upgrade", machine(), "wheel", PINNED).action == "upgrade"
    silent = machine(failure="No devices were found")
    assert "finds no GPU: No devices were found" in decide("auto", silent, "wheel", PINNED).reason


def test_a_machine_without_a_gpu_needs_nothing() -> None:
    for mode in MODES:
        assert decide(mode, machine(has_gpu=False), "wheel", PINNED).action == "cpu"


def test_an_upgrade_is_refused_where_lambda_has_no_driver() -> None:
    for other in (machine("570.148.08", ubuntu="20.04"), machine("570.148.08", architecture="riscv64")):
        decision = decide("upgrade", other, "wheel", PINNED)
        assert decision.action == "refuse"
        assert "lambda-stack-24-04" in decision.reason


@pytest.mark.parametrize(("vendor", "found"), [("0x10de\n", True), ("0x1af4\n", False), (None, False)])
def test_a_gpu_is_seen_on_the_bus_without_its_driver(tmp_path: Path, vendor: str | None, found: bool) -> None:
    if vendor:
        (tmp_path / "0000:01:00.0").mkdir()
        (tmp_path / "0000:01:00.0/vendor").write_text(vendor)
    assert driver.has_nvidia_device(tmp_path) is found
