"""The driver's step on a machine whose GPU, root and apt are played: what it does, says and writes down."""

from pathlib import Path

import pytest

from tests.support.gpu_machine import GpuMachine

PACKAGE = "nvidia-driver-580-server-open"
THIS_BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.fixture
def machine(tmp_path: Path) -> GpuMachine:
    return GpuMachine(tmp_path)


def after_a_reboot(machine: GpuMachine) -> None:
    """As if the boot that the upgrade was made in were another than this one."""
    file = machine.base / "manifest.json"
    file.write_text(file.read_text().replace(THIS_BOOT, "00000000-0000-0000-0000-000000000000"))


def test_a_driver_that_is_new_enough_is_left_alone_and_root_is_not_asked(machine: GpuMachine) -> None:
    machine.accelerator("gh200-580")
    done = machine.run("driver.sh", "auto")
    assert done.stdout == "driver: driver 580.105.08 is new enough for vLLM 0.32.0\n"
    assert machine.called == ""
    assert machine.manifest["driver"]["key"] == "keep"
    assert machine.manifest["driver"]["driver"] == "580.105.08"


@pytest.mark.parametrize("accelerator", ["gh200-550", "gh200-570"])
def test_the_decision_for_the_libraries_is_told_in_one_line_and_takes_no_time(
    machine: GpuMachine, accelerator: str
) -> None:
    machine.accelerator(accelerator)
    done = machine.run("driver.sh", "auto")
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
    done = machine.run("driver.sh", *arguments)
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert machine.called == ""
    assert machine.manifest == {}


def test_a_vllm_for_cuda_12_keeps_the_stock_driver_as_it_is(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    assert machine.run("driver.sh", "keep", "source", "0.19.1").returncode == 0
    assert machine.run("driver.sh", "auto", "source", "0.19.1").returncode == 0
    assert machine.manifest["driver"]["key"] == "keep"


def test_an_upgrade_takes_lambdas_newest_driver_for_this_ubuntu_and_no_other(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    done = machine.run("driver.sh", "upgrade")
    assert done.returncode == 0, done.stderr
    assert f"install -y {PACKAGE}=580.105.08-0lambda0.24.04.1\n" in machine.called
    machine.play("lsb_release", "echo 22.04")
    after_a_reboot(machine)
    machine.run("driver.sh", "upgrade")
    assert f"install -y {PACKAGE}=580.105.08-0lambda0.22.04.1\n" in machine.called


def test_an_upgrade_stops_who_would_change_the_driver_then_the_ssh_server_and_reboots(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    done = machine.run("driver.sh", "upgrade")
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
    machine.run("driver.sh", "upgrade")
    assert machine.manifest["driver"]["boot_id"] == THIS_BOOT
    machine.accelerator("gh200-580")
    early = machine.run("driver.sh", "verify", "upgrade")
    assert early.returncode != 0
    # The first step is not run again by `pulumi up`, which has it as done: the reboot has to come from here.
    assert "the machine had not rebooted for its driver, and does so now: run `pulumi up` again" in early.stderr
    assert machine.called.count("systemctl reboot") == 2
    after_a_reboot(machine)
    late = machine.run("driver.sh", "verify", "upgrade")
    assert late.returncode == 0, late.stderr
    assert machine.manifest["driver"]["key"] == "keep"
    assert machine.manifest["driver"]["driver"] == "580.105.08"


def test_an_upgrade_that_changed_nothing_is_not_taken_for_one(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.run("driver.sh", "upgrade")
    after_a_reboot(machine)
    done = machine.run("driver.sh", "verify", "upgrade")
    assert done.returncode != 0
    assert "driver 570.148.08 after the upgrade" in done.stderr


def test_a_reboot_that_did_not_come_is_made_up_for_without_a_second_upgrade(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.run("driver.sh", "upgrade")
    machine.accelerator("gh200-mismatch")
    done = machine.run("driver.sh", "upgrade")
    assert done.returncode == 0, done.stderr
    assert machine.called.count("install -y") == 1
    assert machine.called.count("systemctl reboot") == 2


def test_an_upgrade_that_was_made_before_and_is_done_is_not_repeated(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.run("driver.sh", "upgrade")
    after_a_reboot(machine)
    machine.accelerator("gh200-580")
    before = machine.called
    assert machine.run("driver.sh", "upgrade").returncode == 0
    assert machine.called == before


def test_a_machine_whose_apt_knows_no_driver_of_lambdas_is_not_rebooted(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play("apt-cache", f"echo ' {PACKAGE} | 580.126.09-0ubuntu0.24.04.1 | http://mirror noble/main'")
    done = machine.run("driver.sh", "upgrade")
    assert done.returncode != 0
    assert f"apt knows no {PACKAGE} of Lambda's for this machine" in done.stderr
    assert "reboot" not in machine.called


def test_apts_lock_is_waited_for_by_the_minute_and_is_not_taken_for_the_cause_later(machine: GpuMachine) -> None:
    # apt waits for dpkg's lock, yet ends at once where the lists are locked, as apt-daily has them after a boot.
    machine.accelerator("gh200-570")
    machine.play(
        "sudo",
        """echo "sudo $*" >>"$HOME/called"
        [[ $* == *" update" ]] || exit 0
        (($(grep -c " update" "$HOME/called") > 5)) || { echo "E: Could not get lock /var/lib/apt"; exit 100; }""",
    )
    done = machine.run("driver.sh", "libraries", "auto")
    assert done.returncode == 0, done.stderr
    assert "another program holds apt's lock, as on a fresh machine: waiting, 50 s" in done.stdout
    assert "E: Could not get lock" not in done.stderr.replace("retried: E: Could not get lock", "")
    assert (machine.base / "cuda.env").exists()


def test_a_mirror_that_stumbles_is_asked_again(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play(
        "sudo",
        """echo "sudo $*" >>"$HOME/called"
        [[ $* == *" install "* ]] || exit 0
        (($(grep -c " install " "$HOME/called") > 2)) || { echo "E: Failed to fetch a file"; exit 100; }""",
    )
    done = machine.run("driver.sh", "libraries", "auto")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("apt-get install failed, trying again") == 2
    assert (machine.base / "cuda.env").exists()


def test_a_dpkg_that_was_interrupted_is_completed_first(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play(
        "sudo",
        """echo "sudo $*" >>"$HOME/called"
        [[ $* == *" install "* ]] || exit 0
        grep -q configure "$HOME/called" || { echo "E: dpkg was interrupted, you must run dpkg"; exit 100; }""",
    )
    assert machine.run("driver.sh", "libraries", "auto").returncode == 0
    assert "--force-confold --configure -a" in machine.called


def test_what_apt_will_never_do_is_not_tried_again_and_its_words_are_in_the_log(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play("sudo", 'echo "sudo $*" >>"$HOME/called"; echo "E: Unable to locate package"; exit 100')
    done = machine.run("driver.sh", "libraries", "auto")
    assert done.returncode != 0
    assert "E: Unable to locate package" in done.stderr
    assert machine.called.count("apt-get") == 1


def test_libraries_that_are_there_need_no_root(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play("dpkg-query", "echo -n installed")
    assert machine.run("driver.sh", "libraries", "auto").returncode == 0
    assert machine.called == ""
    assert "VLLM_CUDA_COMPATIBILITY_PATH=/usr/local/cuda-13.0/compat\n" in (machine.base / "cuda.env").read_text()


def test_a_machine_without_a_gpu_has_nothing_to_do(machine: GpuMachine) -> None:
    for mode in ("auto", "upgrade"):
        done = machine.run("driver.sh", mode)
        assert done.returncode == 0, done.stderr
        assert "computes on the CPU" in done.stdout
    assert machine.run("driver.sh", "verify", "upgrade").returncode == 0
    assert machine.called == ""
