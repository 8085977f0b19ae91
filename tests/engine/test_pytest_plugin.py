"""The pytest plugin, as someone else's test suite uses it: a pytest session of its own in an empty folder."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from localcloud.errors import LocalCloudError
from localcloud.machines.processes import processes_of
from localcloud.testing import Accounts, AccountSettings
from tests.support.emulated import PUBLIC_KEY
from tests.support.polling import until
from tests.support.pulumi_cli import REPOSITORY

pytest_plugins = ["pytester"]

ASK = f"""
import json, os, time
from pathlib import Path
import pytest, requests

KEY = {{"name": "me", "public_key": "{PUBLIC_KEY}"}}
ORDER = {{"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": ["me"]}}

def ask(cloud, method, path, body=None, key=None):
    headers = {{"Authorization": f"Bearer {{key or cloud.api_key}}"}}
    return requests.request(method, f"{{cloud.url}}/api/v1/{{path}}", json=body, headers=headers, timeout=30)

def launch(cloud, **more):
    assert ask(cloud, "POST", "ssh-keys", KEY).ok
    answer = ask(cloud, "POST", "instance-operations/launch", ORDER | more)
    assert answer.ok, answer.text
    return answer.json()["data"]["instance_ids"][0]
"""

WORKING_MACHINE = """
def working_machine(cloud):
    instance = launch(cloud, user_data="#cloud-config\\nruncmd: ['setsid sleep 300 >/dev/null 2>&1 & touch working']")
    home = next(Path(os.environ["TMPDIR"]).glob("localcloud-tests-*/1"))
    while not (home / "machines" / instance / "home" / "ubuntu" / "working").exists():
        time.sleep(0.05)
    return instance
"""


@pytest.fixture
def temporary(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of the sessions in this test."""
    folder = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest("pytest_plugins = ['localcloud.pytest_plugin']")
    return folder


def leftovers(temporary: Path) -> list[object]:
    """Files in the folder for temporary ones, and processes that have it in their environment."""
    return [*temporary.iterdir(), *(process for process in psutil.process_iter() if _uses(process, temporary))]


def _uses(process: psutil.Process, temporary: Path) -> bool:
    try:
        return process.environ().get("TMPDIR") == str(temporary) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def session(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """A pytest session in a process of its own."""
    return pytester.runpytest_subprocess("-p", "no:schemathesis", *arguments, timeout=120)


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_every_test_finds_an_empty_account(pytester: pytest.Pytester, temporary: Path, arguments: tuple[str]) -> None:
    pytester.makepyfile(
        ASK
        + """
@pytest.mark.parametrize("number", range(6))
def test_account(lambda_cloud, number):
    assert lambda_cloud.requests() == []
    for kind in ("instances", "ssh-keys", "filesystems", "firewall-rulesets"):
        assert ask(lambda_cloud, "GET", kind).json()["data"] == []
    offer = ask(lambda_cloud, "GET", "instance-types").json()["data"]["gpu_1x_gh200"]
    assert offer["regions_with_capacity_available"]
    assert offer["instance_type"]["price_cents_per_hour"] != 1
    instance = launch(lambda_cloud)
    assert lambda_cloud.billing() == [instance]
    assert ask(lambda_cloud, "POST", "filesystems", {"name": "f", "region": "us-east-3"}).ok
    assert ask(lambda_cloud, "POST", "firewall-rulesets", {"name": "r", "region": "us-east-3", "rules": []}).ok
    lambda_cloud.force_status(instance, "unhealthy")
    lambda_cloud.set_capacity("gpu_1x_gh200")
    lambda_cloud.set_price("gpu_1x_gh200", 1)
    for operation in ("list-ssh-keys", "list-instances", "instance-types"):
        lambda_cloud.fault(operation, "error-500", times=100)
    assert ask(lambda_cloud, "GET", "ssh-keys").status_code == 500
    assert lambda_cloud.calls("list-ssh-keys") == 2
"""
    )
    session(pytester, *arguments).assert_outcomes(passed=6)
    assert leftovers(temporary) == []


def test_a_client_of_an_earlier_test_is_refused(pytester: pytest.Pytester, temporary: Path) -> None:
    pytester.makepyfile(
        ASK
        + """
earlier = []

def test_first(lambda_cloud):
    launch(lambda_cloud)
    earlier.append(lambda_cloud)

def test_second(lambda_cloud):
    with pytest.raises(requests.ConnectionError):
        ask(earlier[0], "GET", "instances")
    assert ask(lambda_cloud, "GET", "instances", key=earlier[0].api_key).status_code == 401
    assert earlier[0].api_key not in repr(earlier[0])
"""
    )
    session(pytester).assert_outcomes(passed=2)


def test_the_command_line_comes_before_the_ini_file(pytester: pytest.Pytester, temporary: Path) -> None:
    pytester.makeini("[pytest]\nlocalcloud_time_scale = 100\nlocalcloud_rate_limit = 100\n")
    pytester.makepyfile(
        ASK
        + """
def test_slow_boot(lambda_cloud):
    instance = launch(lambda_cloud)
    assert lambda_cloud.instances()[0]["status"] == "booting"
    assert lambda_cloud.instances()[0]["ip"] is None

def test_limits(lambda_cloud):
    assert 429 in [ask(lambda_cloud, "GET", "instances").status_code for _ in range(3)]
"""
    )
    session(pytester, "-k", "limits").assert_outcomes(passed=1, deselected=1)
    session(pytester, "--localcloud-rate-limit=off").assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("flag", ["machines=oak", "time-scale=-1", "rate-limit=never"])
def test_a_wrong_setting_is_refused_in_one_line(pytester: pytest.Pytester, temporary: Path, flag: str) -> None:
    result = session(pytester, f"--localcloud-{flag}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    name, _, value = flag.partition("=")
    result.stderr.fnmatch_lines([f"ERROR: localcloud_{name.replace('-', '_')}: '{value}' is not a *"])


def test_real_machines_end_with_their_test(pytester: pytest.Pytester, temporary: Path) -> None:
    pytester.makepyfile(
        ASK
        + WORKING_MACHINE
        + """
from localcloud.machines.processes import processes_of
instances = []

def test_works(lambda_cloud):
    instances.append(working_machine(lambda_cloud))
    assert processes_of(instances[0])

def test_later():
    assert processes_of(instances[0]) == []
"""
    )
    session(pytester, "--localcloud-machines=process").assert_outcomes(passed=2)
    assert leftovers(temporary) == []


def test_a_killed_session_leaves_no_process_and_no_folder(pytester: pytest.Pytester, temporary: Path) -> None:
    pytester.makepyfile(
        ASK
        + WORKING_MACHINE
        + """
def test_killed(lambda_cloud):
    Path("drafted").write_text(working_machine(lambda_cloud))
    Path("drafted").rename("instance")
    time.sleep(300)
"""
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:schemathesis", "--localcloud-machines=process"]
    killed = pytester.popen(command, stdin=subprocess.DEVNULL)
    written = pytester.path / "instance"
    try:
        until(lambda: written.exists() or killed.poll() is not None)
        assert processes_of(written.read_text())
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    until(lambda: leftovers(temporary) == [])
    assert processes_of(written.read_text()) == []


def test_a_server_that_ended_says_why_in_one_line() -> None:
    with (
        Accounts(AccountSettings(time_scale="long")) as accounts,
        pytest.raises(LocalCloudError, match=r"^the local cloud of the tests has ended: .*'long' is not a time scale"),
    ):
        accounts.fresh()
