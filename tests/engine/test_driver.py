"""The driver's step on a machine whose GPU, root and apt are played: what it does, says and writes down."""

import json
import re
import stat
import subprocess
import time
from pathlib import Path

import pytest

from components.on_machine.driver.first_boot import wait_for_first_boot
from components.on_machine.shared.secret_input import with_end
from tests.support.compat_libraries import libraries_on
from tests.support.gpu_machine import GpuMachine

PACKAGE = "nvidia-driver-580-server-open"
THIS_BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.fixture
def machine(tmp_path: Path) -> GpuMachine:
    return GpuMachine(tmp_path)


def prepare(
    machine: GpuMachine,
    mode: str,
    install: str = "wheel",
    version: str = "0.32.0",
    *,
    at: float | None = None,
    cache: str = "",
) -> "subprocess.CompletedProcess[str]":
    """The first step."""
    told = with_end(json.dumps({"at": at, "cache": cache}))
    return machine.run("driver.prepare", mode, install, version, stdin=told)


def verify(machine: GpuMachine, mode: str) -> "subprocess.CompletedProcess[str]":
    """The second step, over a new connection."""
    given = with_end(json.dumps({"port": 8000, "certificate": ""}))
    return machine.run("ready", mode, "wheel", "0.32.0", stdin=given)


def after_a_reboot(machine: GpuMachine) -> None:
    """As if the boot that the upgrade was made in were another than this one."""
    file = machine.base / "manifest.json"
    file.write_text(file.read_text().replace(THIS_BOOT, "00000000-0000-0000-0000-000000000000"))


def test_a_driver_that_is_new_enough_is_left_alone_and_root_is_not_asked(machine: GpuMachine) -> None:
    machine.accelerator("gh200-580")
    done = prepare(machine, "auto")
    assert done.stdout == "driver: driver 580.105.08 is new enough for vLLM 0.32.0\n"
    assert machine.called == ""
    assert machine.manifest["driver"]["key"] == "keep"
    assert machine.manifest["driver"]["driver"] == "580.105.08"


@pytest.mark.parametrize("accelerator", ["gh200-550", "gh200-570"])
def test_the_decision_for_the_libraries_is_told_in_one_line_and_takes_no_time(
    machine: GpuMachine, accelerator: str
) -> None:
    machine.accelerator(accelerator)
    done = prepare(machine, "auto")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "cuda-compat-13-0 brings CUDA 13 to it without a reboot" in done.stdout
    assert machine.called == ""
    assert machine.manifest["driver"]["key"] == "compat"


@pytest.mark.parametrize(
    ("accelerator", "arguments", "told"),
    [
        ("gh200-570", ("keep",), "set `driver: compat` or `driver: upgrade`, or use `install: source`"),
        ("gh200-560", ("auto",), "cuda-compat-13-0 supports the drivers 535, 550, 565, 570, 575, not 560"),
        ("a6000-570", ("compat",), "is for data centre GPUs, which NVIDIA RTX A6000 is not"),
        ("gh200-mismatch", ("auto",), "reboot the machine (sudo reboot), or set `driver: upgrade`"),
        ("gh200-550", ("auto", "source", "0.19.1"), "older than 570, which vLLM 0.19.1 needs: set `driver: upgrade`"),
        ("gh200-570", ("newest",), "driver is one of auto, compat, upgrade, keep, not newest"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_nothing_is_touched(
    machine: GpuMachine, accelerator: str, arguments: tuple[str, ...], told: str
) -> None:
    machine.accelerator(accelerator)
    done = prepare(machine, *arguments)
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert machine.called == ""
    assert machine.manifest == {}


def test_a_vllm_for_cuda_12_keeps_the_stock_driver_as_it_is(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    assert prepare(machine, "keep", "source", "0.19.1").returncode == 0
    assert prepare(machine, "auto", "source", "0.19.1").returncode == 0
    assert machine.manifest["driver"]["key"] == "keep"


def test_an_upgrade_takes_lambdas_newest_driver_for_this_ubuntu_and_no_other(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    done = prepare(machine, "upgrade")
    assert done.returncode == 0, done.stderr
    assert f"install -y {PACKAGE}=580.105.08-0lambda0.24.04.1\n" in machine.called
    machine.play("lsb_release", "echo 22.04")
    after_a_reboot(machine)
    prepare(machine, "upgrade")
    assert f"install -y {PACKAGE}=580.105.08-0lambda0.22.04.1\n" in machine.called


def test_an_upgrade_stops_who_would_change_the_driver_then_the_ssh_server_and_reboots(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    done = prepare(machine, "upgrade")
    assert done.stdout.splitlines()[-1] == "rebooting"
    calls = machine.called.splitlines()
    order = [
        "disable --now apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service",
        "--force-confold update",
        f"install -y {PACKAGE}",
        "systemd-run --quiet --collect --on-active=60 systemctl start ssh.service",
        "systemctl stop ssh.service",
        "systemctl reboot",
    ]
    places = [next(place for place, call in enumerate(calls) if wanted in call) for wanted in order]
    assert places == sorted(places)
    for root_action in ("stopping apt-daily", f"apt-get install {PACKAGE}=580.105.08", "rebooting for the driver"):
        assert f"as root: {root_action}" in done.stdout


def test_a_step_after_the_upgrade_tells_the_old_boot_from_the_new_one(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    prepare(machine, "upgrade")
    assert machine.manifest["driver"]["boot_id"] == THIS_BOOT
    machine.accelerator("gh200-580")
    early = verify(machine, "upgrade")
    assert early.returncode != 0
    # The first step is not run again by `pulumi up`, which has it as done: the reboot has to come from here.
    assert "the machine had not rebooted for its driver, and does so now: run `pulumi up` again" in early.stderr
    assert machine.called.count("systemctl reboot") == 2
    after_a_reboot(machine)
    late = verify(machine, "upgrade")
    assert late.returncode == 0, late.stderr
    assert machine.manifest["driver"]["key"] == "keep"
    assert machine.manifest["driver"]["driver"] == "580.105.08"


def test_an_upgrade_that_changed_nothing_is_not_taken_for_one(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    prepare(machine, "upgrade")
    after_a_reboot(machine)
    done = verify(machine, "upgrade")
    assert done.returncode != 0
    assert "driver 570.148.08 after the upgrade" in done.stderr


def test_a_reboot_that_did_not_come_is_made_up_for_without_a_second_upgrade(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    prepare(machine, "upgrade")
    machine.accelerator("gh200-mismatch")
    done = prepare(machine, "upgrade")
    assert done.returncode == 0, done.stderr
    assert machine.called.count("install -y") == 1
    assert machine.called.count("systemctl reboot") == 2


def test_an_upgrade_that_was_made_before_and_is_done_is_not_repeated(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    prepare(machine, "upgrade")
    after_a_reboot(machine)
    machine.accelerator("gh200-580")
    before = machine.called
    assert prepare(machine, "upgrade").returncode == 0
    assert machine.called == before


def test_a_machine_whose_apt_knows_no_driver_of_lambdas_is_not_rebooted(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play("apt-cache", f"echo ' {PACKAGE} | 580.126.09-0ubuntu0.24.04.1 | http://mirror noble/main'")
    done = prepare(machine, "upgrade")
    assert done.returncode != 0
    assert f"apt knows no {PACKAGE} of Lambda's for this machine" in done.stderr
    assert "reboot" not in machine.called


def test_libraries_that_are_there_need_no_root(
    machine: GpuMachine, monkeypatch: pytest.MonkeyPatch, capfd: "pytest.CaptureFixture[str]"
) -> None:
    machine.accelerator("gh200-570")
    machine.play("dpkg-query", "echo -n installed")
    assert libraries_on(machine, monkeypatch, capfd).error == ""
    assert machine.called == ""
    assert machine.cuda_environment == {
        "VLLM_ENABLE_CUDA_COMPATIBILITY": "1",
        "VLLM_CUDA_COMPATIBILITY_PATH": "/usr/local/cuda-13.0/compat",
        "LD_LIBRARY_PATH": "/usr/local/cuda-13.0/compat",
    }


def test_libraries_that_apt_knows_are_installed_by_it_with_its_patience(
    machine: GpuMachine, monkeypatch: pytest.MonkeyPatch, capfd: "pytest.CaptureFixture[str]"
) -> None:
    machine.accelerator("gh200-570")
    machine.play(
        "sudo",
        """echo "sudo $*" >>"$HOME/called"
        (($(wc -l <"$HOME/called") > 1)) || { echo "E: Could not get lock /var/lib/apt"; exit 100; }""",
    )
    done = libraries_on(machine, monkeypatch, capfd)
    assert (done.error, done.slept) == ("", [10])
    assert "as root: apt-get install cuda-compat-13-0" in done.stdout
    assert "--force-confold install -y cuda-compat-13-0" in machine.called
    assert machine.cuda_environment["LD_LIBRARY_PATH"] == "/usr/local/cuda-13.0/compat"


def test_libraries_that_apt_cannot_install_are_told_with_the_other_way(
    machine: GpuMachine, monkeypatch: pytest.MonkeyPatch, capfd: "pytest.CaptureFixture[str]"
) -> None:
    machine.accelerator("gh200-570")
    machine.play("sudo", "echo 'E: Unable to locate package'; exit 100")
    done = libraries_on(machine, monkeypatch, capfd)
    assert done.error == (
        "cuda-compat-13-0 cannot be installed, see above: run `pulumi up` again, or set `driver: upgrade`"
    )
    assert "E: Unable to locate package" in done.stderr
    assert machine.cuda_environment == {}


def test_a_driver_that_needs_no_libraries_any_more_takes_their_environment_away(
    machine: GpuMachine, monkeypatch: pytest.MonkeyPatch, capfd: "pytest.CaptureFixture[str]"
) -> None:
    machine.places.cuda_environment.write_text("{}")
    machine.accelerator("gh200-580")
    assert libraries_on(machine, monkeypatch, capfd).error == ""
    assert not machine.places.cuda_environment.exists()


def test_a_machine_without_a_gpu_has_nothing_to_do(machine: GpuMachine) -> None:
    for mode in ("auto", "upgrade"):
        done = prepare(machine, mode)
        assert done.returncode == 0, done.stderr
        assert "computes on the CPU" in done.stdout
    assert verify(machine, "upgrade").returncode == 0
    assert machine.called == ""


def test_the_end_of_the_first_boot_is_waited_for_before_anything_is_done(machine: GpuMachine) -> None:
    machine.play("cloud-init", 'echo "cloud-init $*" >>"$HOME/called"; echo status: error; exit 1')
    machine.accelerator("gh200-570")
    done = prepare(machine, "upgrade")
    assert done.returncode == 0, done.stderr
    assert machine.called.startswith("cloud-init status --wait\nsudo ")
    assert "status: error" not in done.stdout + done.stderr


def test_a_first_boot_that_never_ends_is_not_waited_for_for_ever(
    machine: GpuMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.play("cloud-init", "exec /bin/sleep 3600")
    monkeypatch.setenv("PATH", machine.environment["PATH"])
    wait_for_first_boot(timeout_s=0.1)


def test_a_system_without_cloud_init_is_not_waited_for(machine: GpuMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.bin / "cloud-init").unlink()
    monkeypatch.setenv("PATH", str(machine.bin))
    wait_for_first_boot()


def test_the_clock_of_a_computer_that_is_ahead_is_told_first_and_hinders_nothing(machine: GpuMachine) -> None:
    done = prepare(machine, "auto", at=time.time() + 2 * 3600 + 30)
    assert done.returncode == 0, done.stderr
    told, decided = done.stdout.splitlines()
    # The computer may be busy, and the clock goes on.
    assert re.fullmatch(
        r"the clock of the computer that runs pulumi is (1 h 5\d|2 h 00) min ahead of this machine's: set it", told
    )
    assert "computes on the CPU" in decided


def test_the_settings_are_nobody_elses_and_name_the_cache_as_long_as_there_is_one(
    machine: GpuMachine, tmp_path: Path
) -> None:
    cache = tmp_path / "filesystem/lambda-vllm"
    cache.parent.mkdir()
    assert prepare(machine, "auto", cache=str(cache)).returncode == 0
    assert machine.places.cache.read_text() == str(cache)
    assert cache.is_dir()
    assert stat.S_IMODE(machine.settings.stat().st_mode) == 0o700
    assert prepare(machine, "auto").returncode == 0
    assert not machine.places.cache.exists()


def test_a_connection_that_is_lost_on_the_way_changes_nothing(machine: GpuMachine) -> None:
    machine.places.cache.write_text("/lambda/nfs/kept/lambda-vllm")
    done = machine.run("driver.prepare", "auto", "wheel", "0.32.0", stdin='{"at": null, "cache": ""')
    assert done.returncode == 1
    assert done.stderr.startswith("error: the connection ended before all of the file had come")
    assert machine.places.cache.exists()


def test_a_filesystem_that_is_not_there_is_told_before_the_driver_is_touched(
    machine: GpuMachine, tmp_path: Path
) -> None:
    machine.accelerator("gh200-570")
    for step in (prepare(machine, "upgrade", cache=str(tmp_path / "gone/cache")), verify(machine, "upgrade")):
        assert step.returncode == 1
        assert step.stderr.startswith(f"error: the cache folder {tmp_path}/gone/cache is missing or cannot be written")
    assert machine.called == ""


def test_a_reboot_that_cannot_be_ordered_is_told(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play("sudo", '[[ $* != *"systemctl reboot"* ]] || { echo "Failed to start transient timer unit"; exit 1; }')
    done = prepare(machine, "upgrade")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Failed to start transient timer unit",
        "error: the machine cannot be rebooted for its driver, see above",
    ]
