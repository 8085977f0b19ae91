"""The programs on the Ubuntus that Lambda's machines have: what can be run of them without a GPU, with the real Python,
pip, apt and uv."""

import json
import subprocess
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from components.on_machine.shared.paths import RELEASE
from components.on_machine.shared.secret_input import with_end
from components.vllm.programs import command
from components.vllm.release.install.versions import TOOLS
from tests.engine.test_compat_libraries import Quiet, Repository
from tests.support.ubuntu_root import NoUbuntuError, UbuntuMachine, ubuntu_root

ECHO = "print('working')"
ENSURE_UV = """
from components.on_machine.shared import paths, uv, work
work.run_work(lambda: print(uv.ensure_uv(paths.places())))
"""
LIBRARIES = """
from components.on_machine.driver.libraries import install_libraries
from components.on_machine.shared import paths, work
work.run_work(lambda: install_libraries(paths.places(), "auto", "wheel", "0.32.0"))
"""
# Apt's lists are locked as apt-daily does it after a boot, and let go while they are waited for.
HOLD_LISTS = (
    "import fcntl; lists = open('/var/lib/apt/lists/lock', 'a'); fcntl.lockf(lists, fcntl.LOCK_EX); "
    "print('held', flush=True); input()"
)
LOCKED_APT = f"""
import subprocess, sys
from components.on_machine.shared import apt, paths
command = ["sudo", "python3", "-c", {HOLD_LISTS!r}]
holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
holder.stdout.readline()
sys.exit(not apt.apt_as_root(paths.places(), "update", sleep=lambda seconds: holder.communicate(b"let go")))
"""
MODULES = {"echo": ECHO, "uv_alone": ENSURE_UV, "libraries_alone": LIBRARIES, "locked_apt": LOCKED_APT}
"""What is run in there besides."""
CONFIGURED = ("auto", "wheel", "0.32.0")


@pytest.fixture(params=["jammy", "noble"])
def ubuntu(request: pytest.FixtureRequest, tmp_path: Path) -> UbuntuMachine:
    try:
        root = ubuntu_root(request.param)
    except NoUbuntuError as error:
        pytest.skip(str(error))
    (tmp_path / "home").mkdir()
    return UbuntuMachine(root, tmp_path / "home", MODULES)


def succeeded(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_program_can_be_read_by_the_systems_own_python(ubuntu: UbuntuMachine) -> None:
    succeeded(ubuntu.run(f"python3 -m compileall -q {RELEASE}/"))


def test_uv_comes_with_the_systems_own_pip_and_runs_what_the_download_needs_on_its_python(
    ubuntu: UbuntuMachine,
) -> None:
    uv = succeeded(ubuntu.run_module("uv_alone")).strip()
    assert TOOLS["uv"] in succeeded(ubuntu.run(f"{uv} --version"))
    hub = f"huggingface_hub=={TOOLS['huggingface_hub']}"
    told = ubuntu.run(
        f"cd {RELEASE} && {uv} run --quiet --no-project --no-config --with {hub} "
        "python -c 'from components.on_machine.weights import fetch; print(fetch.MOST_FAILURES)'"
    )
    assert succeeded(told) == "6\n"
    # No second pip for what is there.
    assert succeeded(ubuntu.run_module("uv_alone", PIP_INDEX_URL="http://127.0.0.1:9/")).strip() == uv


def test_a_registry_that_cannot_be_reached_is_told_as_that(ubuntu: UbuntuMachine) -> None:
    done = ubuntu.run_module("jobs", "uv", "key", "uv_alone", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="1")
    assert done.returncode == 1
    assert "uv failed: uv cannot be installed, since the registry gives no uv==" in done.stderr


def test_a_job_is_done_once_and_says_how_long_it_took(ubuntu: UbuntuMachine) -> None:
    first = ubuntu.run_module("jobs", "work", "key", "echo")
    assert json.loads(succeeded(first))["status"] == "succeeded"
    assert first.stderr.startswith("working\nwork: done in ")
    again = ubuntu.run_module("jobs", "work", "key", "echo")
    assert succeeded(again) == first.stdout
    assert "before this run" in again.stderr


def test_a_machine_without_a_gpu_needs_no_driver(ubuntu: UbuntuMachine) -> None:
    told = with_end(json.dumps({"at": None, "cache": ""}))
    prepare = f"printf %s '{told}' | {command('driver.prepare', *CONFIGURED)}"
    for step in (prepare, command("driver.verify", *CONFIGURED), command("libraries_alone")):
        done = ubuntu.run(step, PATH=_played(ubuntu))
        succeeded(done)
        assert "error" not in done.stderr, done.stderr


def test_the_lock_of_apts_lists_is_waited_for(ubuntu: UbuntuMachine) -> None:
    done = ubuntu.run_module("locked_apt")
    assert "another program holds apt's lock, as on a fresh machine: waiting, 10 s" in succeeded(done)


def test_the_stock_driver_gets_its_libraries_though_apt_does_not_know_them(
    ubuntu: UbuntuMachine, tmp_path: Path
) -> None:
    release = succeeded(ubuntu.run("lsb_release -rs")).strip().replace(".", "")
    repository = Repository(tmp_path / "repositories", release)
    repository.add("580.95.05-0ubuntu1")
    handler = partial(Quiet, directory=str(tmp_path / "repositories"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            ubuntu.play("nvidia-smi", "echo '570.148.08, NVIDIA GH200 480GB'")
            url = f"http://127.0.0.1:{server.server_address[1]}"
            done = ubuntu.run_module("libraries_alone", CUDA_REPOSITORIES=url, PATH=_played(ubuntu))
        finally:
            server.shutdown()
            thread.join()
    assert "fetching cuda-compat-13-0 580.95.05-0ubuntu1" in succeeded(done)
    folder = ubuntu.places.base / "cuda-compat-13-0"
    assert (folder / "libcuda.so.1").read_text() == "580.95.05-0ubuntu1"
    written = json.loads(ubuntu.places.cuda_environment.read_text())
    assert written["LD_LIBRARY_PATH"] == "/home/ubuntu/.local/share/lambda-vllm/cuda-compat-13-0"


def _played(ubuntu: UbuntuMachine) -> str:
    return "/home/ubuntu/played:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
