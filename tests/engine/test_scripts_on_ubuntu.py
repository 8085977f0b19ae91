"""The programs on the Ubuntus that Lambda's machines have: what can be run of them without a GPU, with the real
Python, pip, apt and uv."""

import json
import platform
import re
import subprocess
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from components.on_machine.shared.paths import BASE, RELEASE
from components.on_machine.shared.secret_input import with_end
from components.vllm.release.install.versions import TOOLS
from tests.engine.test_compat_libraries import Quiet, Repository
from tests.support.ubuntu_root import NoUbuntuError, UbuntuMachine, ubuntu_root

# But what needs packages of the hub's, which only the download has.
IMPORT_ALL = """
import importlib, pkgutil, components.on_machine as programs
for module in pkgutil.walk_packages(programs.__path__, programs.__name__ + "."):
    if module.name != "components.on_machine.weights.fetch" and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
"""
ENSURE_UV = """
from components.on_machine.shared.paths import places
from components.on_machine.shared.uv import ensure_uv
print(ensure_uv(places()))
"""
WORK = """
from components.on_machine.shared.work import run_work, say
if __name__ == "__main__":
    run_work(lambda: say("working"))
"""
# As apt-daily does after a boot; it lets go when its input ends.
HOLD_LISTS = (
    "import fcntl; lists = open('/var/lib/apt/lists/lock', 'a'); fcntl.lockf(lists, fcntl.LOCK_EX); "
    "print('held', flush=True); input()"
)
# It is let go while it is waited for.
UPDATE = f"""
import subprocess
from components.on_machine.shared.apt import apt_as_root
from components.on_machine.shared.paths import places
holder = subprocess.Popen(
    ["sudo", "python3", "-c", {HOLD_LISTS!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
)
holder.stdout.readline()
assert apt_as_root(places(), "update", sleep=lambda seconds: holder.communicate())
"""
LIBRARIES = """
from components.on_machine.driver.libraries import install_libraries
from components.on_machine.shared.paths import places
install_libraries(places(), "auto", "wheel", "0.32.0")
"""
PLAYED = "/home/ubuntu/played:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(params=["jammy", "noble"])
def ubuntu(request: pytest.FixtureRequest, tmp_path: Path) -> UbuntuMachine:
    try:
        root = ubuntu_root(request.param)
    except NoUbuntuError as error:
        pytest.skip(str(error))
    (tmp_path / "home").mkdir()
    return UbuntuMachine(root, tmp_path / "home")


def succeeded(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(ubuntu: UbuntuMachine, code: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Code that is run beside the programs, as they are."""
    return ubuntu.run(f'cd {RELEASE} && python3 -c "$CODE"', CODE=code, **more)


def program(ubuntu: UbuntuMachine, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """One of the programs."""
    return ubuntu.run(f"cd {RELEASE} && python3 -m components.on_machine.{' '.join(words)}", **more)


def test_every_program_can_be_read_and_imported_by_the_systems_own_python(ubuntu: UbuntuMachine) -> None:
    succeeded(ubuntu.run(f"python3 -m compileall -q {RELEASE}/components"))
    imported = succeeded(python(ubuntu, IMPORT_ALL)).splitlines()
    assert {"components.on_machine.install.choose", "components.on_machine.install.source.build"} < set(imported)
    assert "usage" in succeeded(program(ubuntu, "install", "--help"))


def test_uv_comes_with_the_systems_own_pip_and_runs_what_the_download_needs_on_its_python(
    ubuntu: UbuntuMachine,
) -> None:
    uv = succeeded(python(ubuntu, ENSURE_UV)).strip()
    assert TOOLS["uv"] in succeeded(ubuntu.run(f"{uv} --version"))
    hub = f"huggingface_hub=={TOOLS['huggingface_hub']}"
    told = ubuntu.run(
        f"cd {RELEASE} && {uv} run --quiet --no-project --no-config --with {hub} "
        "python -c 'from components.on_machine.weights import fetch; print(fetch.MOST_FAILURES)'"
    )
    assert succeeded(told) == "6\n"
    # No second pip for what is there.
    assert succeeded(python(ubuntu, ENSURE_UV, PIP_INDEX_URL="http://127.0.0.1:9/")).strip() == uv


def test_a_registry_that_cannot_be_reached_is_told_as_that(ubuntu: UbuntuMachine) -> None:
    lock = ubuntu.home / RELEASE / f"components/vllm/release/install/locks/cpu-{platform.machine()}.txt"
    lock.write_text(re.sub(r"installed_mb=\d+", "installed_mb=1", lock.read_text()))
    done = program(ubuntu, "jobs install key install", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="1")
    assert done.returncode == 1
    assert "install failed: the registry gives no uv==" in done.stderr


def test_a_job_is_done_once_and_says_how_long_it_took(ubuntu: UbuntuMachine) -> None:
    (ubuntu.home / RELEASE / "components/on_machine/played.py").write_text(WORK)
    first = program(ubuntu, "jobs work key played")
    assert json.loads(succeeded(first))["status"] == "succeeded"
    assert first.stderr.startswith("working\nwork: done in ")
    assert "before this run" in program(ubuntu, "jobs work key played").stderr


def test_a_machine_without_a_gpu_needs_no_driver(ubuntu: UbuntuMachine) -> None:
    words = "auto wheel 0.32.0"
    given = {
        "driver.prepare": {"at": None, "cache": ""},
        "ready": {"port": 8000, "certificate": ""},
    }
    for step, told in given.items():
        done = program(ubuntu, f"{step} {words} <<<'{with_end(json.dumps(told)).rstrip()}'")
        assert "needs no driver" in succeeded(done)
    succeeded(python(ubuntu, LIBRARIES))


def test_the_lock_of_apts_lists_is_waited_for(ubuntu: UbuntuMachine) -> None:
    done = python(ubuntu, UPDATE)
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
            done = python(ubuntu, LIBRARIES, CUDA_REPOSITORIES=url, PATH=PLAYED)
        finally:
            server.shutdown()
            thread.join()
    assert "fetching cuda-compat-13-0 580.95.05-0ubuntu1" in succeeded(done)
    folder = ubuntu.base / "cuda-compat-13-0"
    assert (folder / "libcuda.so.1").read_text() == "580.95.05-0ubuntu1"
    environment = json.loads((ubuntu.base / "cuda.json").read_text())
    assert environment["LD_LIBRARY_PATH"] == f"/home/ubuntu/{BASE}/cuda-compat-13-0"
