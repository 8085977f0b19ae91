"""A job on a machine with systemd: a real reboot ends it, and it is begun again when it is asked for again."""

import base64
import subprocess
from pathlib import Path

import pytest

from localcloud.errors import LocalCloudError
from localcloud.machines.nspawn.tools import check_host
from tests.support.nspawn_cloud import Debian, debian_cloud
from tests.support.pulumi_cli import REPOSITORY

BASE = ".local/share/lambda-vllm"
SCRIPTS = REPOSITORY / "components/vllm/scripts"
FILES = (
    REPOSITORY / "components/on_machine/jobs/job.sh",
    *(SCRIPTS / name for name in ("explain.py", "failures.py", "ends.py")),
)
WORK = "echo begun >> begun; echo one; while [ ! -e go ]; do sleep 0.2; done; echo two"
JOB = f"bash {BASE}/scripts/job.sh work 1 bash -c '{WORK}'"
BOOT = "cat /proc/sys/kernel/random/boot_id"


def _why_not() -> str | None:
    try:
        check_host()
    except LocalCloudError as error:
        return str(error)
    return None


def ask(machine: Debian) -> "subprocess.CompletedProcess[str]":
    """Ask for the job and follow it to its end, or to the end of the connection."""
    return machine.try_ssh(JOB)


@pytest.mark.skipif(_why_not() is not None, reason=_why_not() or "")
def test_a_job_that_a_reboot_has_ended_is_begun_again_and_ends_well(tmp_path: Path) -> None:
    with debian_cloud(tmp_path) as cloud:
        machine = cloud.active(cloud.launch())
        machine.wait_for(f"cloud-init status --wait >&2; mkdir -p {BASE}/jobs {BASE}/scripts")
        for file in FILES:
            content = base64.b64encode(file.read_bytes()).decode()
            machine.ssh(f"echo {content} | base64 -d > {BASE}/scripts/{file.name}")
        # Followed by nobody, as after a killed `pulumi up`.
        machine.ssh(f"setsid {JOB} >/dev/null 2>&1 </dev/null &")
        machine.wait_for("test -e begun")
        before = machine.ssh(BOOT)
        machine.try_ssh("sudo reboot")
        machine.wait_for(f"test $({BOOT}) != {before}")
        machine.ssh(f"flock --nonblock {BASE}/jobs/work-1/lock true && touch go")
        done = ask(machine)
        assert (done.returncode, done.stdout.splitlines()[:2]) == (0, ["one", "two"]), done
        assert "work: done in" in done.stdout
        assert machine.ssh("cat begun").split() == ["begun", "begun"]
        assert "before this run" in ask(machine).stdout
