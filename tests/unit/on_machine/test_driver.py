"""What is done about a driver: the table of drivers, configurations and machines."""

from pathlib import Path

import pytest

from components.on_machine.driver.compat import CompatError, newest
from components.on_machine.driver.decision import MODES, Decision, Machine, decide
from components.on_machine.driver.first_boot import clock_ahead
from components.on_machine.driver.machine import release_in
from components.on_machine.driver.record import upgrade_pending
from components.on_machine.driver.upgrade import newest_of_lambda
from components.on_machine.shared.accelerator import has_nvidia_device
from components.on_machine.shared.work import WorkError
from components.vllm.release.driver.cuda import COMPAT_BRANCHES

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
    assert has_nvidia_device(tmp_path) is found


def test_a_mode_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(WorkError, match="driver is one of auto, compat, upgrade, keep, not newest"):
        decide("newest", machine("580.105.08"), "wheel", PINNED)


def test_only_an_upgrade_of_this_very_boot_waits_for_a_reboot() -> None:
    assert upgrade_pending({"driver": {"key": "upgrade", "boot_id": "this"}}, "this")
    assert not upgrade_pending({"driver": {"key": "upgrade", "boot_id": "another"}}, "this")
    assert not upgrade_pending({"driver": {"key": "keep", "boot_id": "this"}}, "this")
    assert not upgrade_pending({}, "this")


VERSIONS = """
 nvidia-driver-580-server-open | 580.95.05-0lambda0.24.04.1 | http://mirror/ubuntu noble/main arm64 Packages
 nvidia-driver-580-server-open | 580.105.08-0lambda0.24.04.1 | http://mirror/ubuntu noble/main arm64 Packages
 nvidia-driver-580-server-open | 580.126.09-0ubuntu0.24.04.1 | http://mirror/ubuntu noble/main arm64 Packages
 nvidia-driver-580-server-open | 580.110.01-0lambda0.22.04.1 | http://mirror/ubuntu jammy/main arm64 Packages
 nvidia-driver-580-server-open | 590.10.01-0lambda0.24.04.1 | http://mirror/ubuntu noble/main arm64 Packages
"""


@pytest.mark.parametrize(
    ("ubuntu", "version"),
    [("24.04", "580.105.08-0lambda0.24.04.1"), ("22.04", "580.110.01-0lambda0.22.04.1"), ("26.04", None)],
)
def test_the_driver_is_lambdas_newest_of_that_branch_for_this_ubuntu(ubuntu: str, version: str | None) -> None:
    assert newest_of_lambda(VERSIONS, ubuntu) == version


@pytest.mark.parametrize(
    ("text", "release"), [('ID=ubuntu\nVERSION_ID="24.04"\n', "24.04"), ("VERSION_ID=12\n", "12"), ("ID=arch\n", "")]
)
def test_the_system_names_its_release_in_a_file_too(tmp_path: Path, text: str, release: str) -> None:
    (tmp_path / "os-release").write_text(text)
    assert release_in(tmp_path / "os-release") == release
    assert release_in(tmp_path / "missing") == ""


def test_the_newest_libraries_are_told_by_numbers_and_another_package_is_none_of_them() -> None:
    stanza = "Package: {}\nVersion: {}-1\nFilename: ./{}.deb\nSHA256: 0\nDescription: of\n many lines"
    names = [("cuda-compat-13-0", "580.95.05"), ("cuda-compat-13-0", "580.105.08"), ("cuda-compat-13-1", "590.1")]
    index = "\n\n".join(stanza.format(name, version, version) for name, version in names)
    assert newest(index).file == "580.105.08.deb"
    with pytest.raises(CompatError, match="NVIDIA's repository has no cuda-compat-13-0 for this machine"):
        newest(stanza.format("cuda-compat-13-1", "590.1", "590.1"))


@pytest.mark.parametrize(
    ("ahead_s", "told"),
    [(7200, "2 h 00 min"), (301, "0 h 05 min"), (86_400 * 60 + 59, "1440 h 00 min"), (300, ""), (0, ""), (-7200, "")],
)
def test_only_a_clock_that_is_clearly_ahead_is_told(ahead_s: int, told: str) -> None:
    line = f"the clock of the computer that runs pulumi is {told} ahead of this machine's: set it" if told else ""
    assert clock_ahead(1_800_000_000.2 + ahead_s, 1_800_000_000.9) == line


def test_a_computer_that_does_not_say_its_time_is_not_said_to_be_wrong() -> None:
    assert clock_ahead(None, 1_800_000_000) == ""
