"""The scripts on the Ubuntus that Lambda's machines have: what can be run of them without a GPU, with the real bash,
Python, pip, apt and uv."""

import subprocess
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.locks.__main__ import read_versions
from tests.engine.test_compat_libraries import Quiet, Repository
from tests.support.ubuntu_root import BASE, NoUbuntuError, UbuntuMachine, ubuntu_root

COMMON = f"set -euo pipefail; . {BASE}/scripts/common.sh; . {BASE}/scripts/apt.sh;"
# As apt-daily does after a boot; it lets go when its input ends.
HOLD_LISTS = (
    "import fcntl; lists = open('/var/lib/apt/lists/lock', 'a'); fcntl.lockf(lists, fcntl.LOCK_EX); "
    "print('held', flush=True); input()"
)


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


def test_every_script_can_be_read_by_the_systems_own_bash_and_python(ubuntu: UbuntuMachine) -> None:
    succeeded(ubuntu.run(f"for file in {BASE}/scripts/*.sh; do bash -n $file || exit; done"))
    succeeded(ubuntu.run(f"python3 -m compileall -q {BASE}/scripts"))


def test_uv_comes_with_the_systems_own_pip_and_runs_what_the_download_needs_on_its_python(
    ubuntu: UbuntuMachine,
) -> None:
    versions = read_versions()
    assert versions["UV_VERSION"] in succeeded(ubuntu.run(f"{COMMON} ensure_uv; $uv --version"))
    hub = f"huggingface_hub=={versions['HUGGINGFACE_HUB_VERSION']}"
    told = ubuntu.run(
        f"{COMMON} ensure_uv; cd {BASE}/scripts; "
        f"$uv run --quiet --no-project --no-config --with {hub} python -c 'import fetch; print(fetch.MOST_FAILURES)'"
    )
    assert succeeded(told) == "6\n"
    # No second pip for what is there.
    assert succeeded(ubuntu.run(f"{COMMON} ensure_uv; echo done", PIP_INDEX_URL="http://127.0.0.1:9/")) == "done\n"


def test_a_registry_that_cannot_be_reached_is_told_as_that(ubuntu: UbuntuMachine) -> None:
    done = ubuntu.run(
        f"bash {BASE}/scripts/job.sh uv key bash -c '{COMMON} ensure_uv'",
        PIP_INDEX_URL="http://127.0.0.1:9/",
        PIP_RETRIES="1",
    )
    assert done.returncode == 1
    assert "uv failed: the registry gives no uv==" in done.stderr


def test_a_job_is_done_once_and_says_how_long_it_took(ubuntu: UbuntuMachine) -> None:
    job = f"bash {BASE}/scripts/job.sh work key bash -c 'echo working'"
    first = succeeded(ubuntu.run(job))
    assert first.startswith("working\nwork: done in ")
    assert "before this run" in succeeded(ubuntu.run(job))


def test_a_machine_without_a_gpu_needs_no_driver(ubuntu: UbuntuMachine) -> None:
    for step in ("auto", "verify auto", "libraries auto"):
        done = ubuntu.run(f"bash {BASE}/scripts/driver.sh {step}", PATH=_played(ubuntu))
        assert "error" not in done.stderr, done.stderr
        assert done.returncode == 0


def test_the_lock_of_apts_lists_is_waited_for(ubuntu: UbuntuMachine) -> None:
    holding = 'mkfifo release; sudo python3 -c "$HOLD" <release >held & exec 5>release; '
    holding += "until [[ -s held ]]; do sleep 0.1; done"
    # It is let go while it is waited for.
    releasing = "sleep() { exec 5>&-; wait; }"
    done = ubuntu.run(f"{COMMON} {holding}; {releasing}; apt_as_root update", HOLD=HOLD_LISTS)
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
            done = ubuntu.run(
                f"bash {BASE}/scripts/driver.sh libraries auto", CUDA_REPOSITORIES=url, PATH=_played(ubuntu)
            )
        finally:
            server.shutdown()
            thread.join()
    assert "fetching cuda-compat-13-0 580.95.05-0ubuntu1" in succeeded(done)
    folder = ubuntu.base / "cuda-compat-13-0"
    assert (folder / "libcuda.so.1").read_text() == "580.95.05-0ubuntu1"
    assert f"LD_LIBRARY_PATH=/home/ubuntu/{BASE}/cuda-compat-13-0\n" in (ubuntu.base / "cuda.env").read_text()


def _played(ubuntu: UbuntuMachine) -> str:
    return "/home/ubuntu/played:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
