"""CUDA's compatibility libraries on a machine whose package sources do not have them, from a repository of the test's
own in the layout of NVIDIA's."""

import gzip
import hashlib
import platform
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.compat_libraries import Outcome, libraries_on
from tests.support.gpu_machine import GpuMachine

PLATFORM = {"aarch64": "sbsa", "x86_64": "x86_64"}[platform.machine()]
CONTROL = "Package: cuda-compat-13-0\nVersion: {version}\nArchitecture: all\nMaintainer: nobody\nDescription: played\n"


class Repository:
    """What NVIDIA has for one Ubuntu; its index is written anew with each package."""

    def __init__(self, folder: Path, release: str = "2404") -> None:
        self._root = folder
        self.place = folder / f"ubuntu{release}/{PLATFORM}"
        self.place.mkdir(parents=True)
        self._stanzas = ["Package: cuda-compat-13-1\nVersion: 590.48.01-1\nFilename: ./other.deb\nSHA256: 0\n"]
        self._write_index()

    def add(self, version: str, *, wrong_hash: bool = False) -> None:
        tree = self._root / f"tree-{version}"
        compat = tree / "usr/local/cuda-13.0/compat"
        compat.mkdir(parents=True)
        (compat / f"libcuda.so.{version}").write_text(version)
        (compat / "libcuda.so.1").symlink_to(f"libcuda.so.{version}")
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(CONTROL.format(version=version))
        package = self.place / f"cuda-compat-13-0_{version}.deb"
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, package], check=True, capture_output=True)
        digest = hashlib.sha256(b"" if wrong_hash else package.read_bytes()).hexdigest()
        self._stanzas.append(
            f"Package: cuda-compat-13-0\nVersion: {version}\nFilename: ./{package.name}\nSHA256: {digest}\n"
            "Description: CUDA Compatibility Platform\n of many lines: this one too\n"
        )
        self._write_index()

    def _write_index(self) -> None:
        (self.place / "Packages.gz").write_bytes(gzip.compress("\n".join(self._stanzas).encode()))


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of what it serves."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repositories")


@pytest.fixture
def machine(tmp_path: Path, repository: Repository) -> Iterator[GpuMachine]:
    machine = GpuMachine(tmp_path)
    machine.accelerator("gh200-570")
    machine.play("apt-cache", "exit 0")
    handler = partial(Quiet, directory=str(tmp_path / "repositories"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        machine.environment["CUDA_REPOSITORIES"] = f"http://127.0.0.1:{server.server_address[1]}"
        yield machine
        server.shutdown()
        thread.join()


@pytest.fixture
def have(
    machine: GpuMachine, monkeypatch: pytest.MonkeyPatch, capfd: "pytest.CaptureFixture[str]"
) -> Callable[[], Outcome]:
    """What has the libraries on the machine."""
    return lambda: libraries_on(machine, monkeypatch, capfd)


def libcuda(machine: GpuMachine) -> str:
    """The library that a program would load with the machine's environment for CUDA."""
    return (Path(machine.cuda_environment["LD_LIBRARY_PATH"]) / "libcuda.so.1").read_text()


def test_where_apt_does_not_know_them_they_come_from_nvidia_without_root(
    machine: GpuMachine, repository: Repository, have: Callable[[], Outcome]
) -> None:
    for version in ("580.95.05-0ubuntu1", "580.105.08-0ubuntu1", "580.82.07-0ubuntu1"):
        repository.add(version)
    assert have().error == ""
    assert libcuda(machine) == "580.105.08-0ubuntu1"
    assert machine.cuda_environment["VLLM_CUDA_COMPATIBILITY_PATH"] == f"{machine.base}/cuda-compat-13-0"
    assert machine.called == ""


def test_libraries_that_were_fetched_are_not_fetched_again(
    machine: GpuMachine, repository: Repository, have: Callable[[], Outcome]
) -> None:
    repository.add("580.95.05-0ubuntu1")
    have()
    (repository.place / "Packages.gz").unlink()
    done = have()
    assert (done.error, done.stdout) == ("", "")
    assert libcuda(machine) == "580.95.05-0ubuntu1"


def test_a_package_with_another_hash_is_not_unpacked(
    machine: GpuMachine, repository: Repository, have: Callable[[], Outcome]
) -> None:
    repository.add("580.95.05-0ubuntu1", wrong_hash=True)
    done = have()
    assert "does not have the hash that NVIDIA's repository names" in done.stderr
    assert done.error == "cuda-compat-13-0 cannot be had, see above: run `pulumi up` again, or set `driver: upgrade`"
    assert not (machine.base / "cuda-compat-13-0").exists()
    assert machine.cuda_environment == {}


def test_a_repository_without_them_is_told_in_one_line(have: Callable[[], Outcome]) -> None:
    done = have()
    assert "cannot be had, see above" in done.error
    assert done.stderr == "error: NVIDIA's repository has no cuda-compat-13-0 for this machine\n"


def test_a_repository_that_does_not_answer_is_asked_some_times(
    repository: Repository, have: Callable[[], Outcome]
) -> None:
    (repository.place / "Packages.gz").unlink()
    done = have()
    assert done.slept == [2, 4, 8]
    assert done.stdout.count("does not answer, trying again") == 3
    assert "Packages.gz cannot be fetched: HTTP Error 404" in done.stderr


def test_an_index_that_is_damaged_is_told_in_one_line(repository: Repository, have: Callable[[], Outcome]) -> None:
    index = repository.place / "Packages.gz"
    index.write_bytes(index.read_bytes()[:-9])
    done = have()
    assert done.stderr.count("\n") == 1
    assert "Packages.gz is damaged" in done.stderr
