"""A job on a machine with systemd: a real reboot ends it, and it is begun again when it is asked for again."""

import subprocess
from pathlib import Path

from components.on_machine.jobs.job import Result
from components.on_machine.shared.paths import RELEASE
from components.vllm.programs import command
from tests.support.machine_release import lay_archive
from tests.support.nspawn_cloud import NEEDS_NSPAWN, Debian, debian_cloud

BASE = ".local/share/lambda-vllm"
WORK = "cd; echo begun >> begun; echo one; while [ ! -e go ]; do sleep 0.2; done; echo two"
SHELL = "import os, sys; os.execvp('bash', ['bash', '-c', sys.argv[1]])"
JOB = command("jobs", "work", "1", "shell", WORK)
BOOT = "cat /proc/sys/kernel/random/boot_id"


def ask(machine: Debian) -> "subprocess.CompletedProcess[str]":
    """Ask for the job and follow it to its end, or to the end of the connection."""
    return machine.try_ssh(JOB)


@NEEDS_NSPAWN
def test_a_job_that_a_reboot_has_ended_is_begun_again_and_ends_well(tmp_path: Path) -> None:
    with debian_cloud(tmp_path) as cloud:
        machine = cloud.active(cloud.launch())
        machine.wait_for("cloud-init status --wait >&2; mkdir -p .config/lambda-vllm")
        lay_archive(machine.ssh)
        machine.ssh(f'echo "{SHELL}" > {RELEASE}/components/on_machine/shell.py')
        # Followed by nobody, as after a killed `pulumi up`.
        machine.ssh(f"setsid {JOB} >/dev/null 2>&1 </dev/null &")
        machine.wait_for("test -e begun")
        before = machine.ssh(BOOT)
        machine.try_ssh("sudo reboot")
        machine.wait_for(f"test $({BOOT}) != {before}")
        machine.ssh(f"flock --nonblock {BASE}/jobs/work-1/lock true && touch go")
        done = ask(machine)
        assert (done.returncode, done.stderr.splitlines()[:2]) == (0, ["one", "two"]), done
        assert Result.from_json(done.stdout).status == "succeeded"
        assert machine.ssh("cat begun").split() == ["begun", "begun"]
        assert "before this run" in ask(machine).stderr
