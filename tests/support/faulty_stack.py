"""A stack of `programs/stack.py` on one machine, for faults on the way there: what is done to it and what it shows.

A whole install takes half a minute and six gigabytes, too much for so many faults. So the project has its own copy of
`components/`, in which three things are small (see `small_components`). Everything else is real: the engine, the other
scripts, uv, pip and the packages, which come through a mirror on this computer.
"""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import requests

from components.model.facts import ModelFacts
from components.vllm.release.install.versions import LOCKS, TOOLS
from localcloud.machines.processes import processes_of
from localcloud.machines.small_disk import can_mount
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.package_mirror import Mirror, mirror
from tests.support.polling import until
from tests.support.pulumi_project import Project, Run, project
from tests.support.small_components import MIDDLE, OTHERS, PACKAGES, make_small_components, write_lock

PROGRAM = Path(__file__).parent / "programs/stack.py"
MODEL = "meta-llama/Llama-3.1-70B-Instruct"
PATIENCE_S = 120.0
DISK_BYTES = 4 * 1024**3
"""In memory, and only what is used of it."""
FILLER_BYTES = 2 * 1024**2
"""Room enough for what is written between two looks at the disk."""
HUB_CLIENT = "huggingface-hub"


class FaultyStack:
    """The stack, its cloud and its mirror of the registry."""

    def __init__(self, made: Project, cloud: LocalCloud, packages: Mirror, components: Path, uv_cache: Path) -> None:
        self.project, self.cloud, self.mirror = made, cloud, packages
        self._components, self._uv_cache = components, uv_cache
        self._round = 0
        self._since = 0.0
        info = requests.get(f"{cloud.url}/api/models/{MODEL}?blobs=true", timeout=60).json()
        self._commit: str = info["sha"]
        self._files = {file["rfilename"]: file for file in info["siblings"] if "original/" not in file["rfilename"]}
        self._change_pins()
        self.project.up()
        (self.instance_id,) = cloud.billing()
        self.home = cloud.home(self.instance_id)
        self.base = self.home / ".local/share/lambda-vllm"

    @property
    def has_own_disk(self) -> bool:
        """Whether the machine's disk can be made small."""
        return self.home.parents[1].is_mount()

    def _change_pins(self) -> None:
        """Let the next `up` have something else to install and to download, of the same content."""
        self._round += 1
        write_lock(self._components, self._round)
        size = sum(file["size"] for file in self._files.values())
        # The second pattern is one that no file has.
        facts = ModelFacts(MODEL, self._commit, 0, size, ("original/*", f"round-{self._round}/*"), None)
        self.project.configure(apiUrl=self.cloud.url, hfEndpoint=self.cloud.url, facts=facts.to_json())

    def begin_anew(self) -> None:
        """As on a new machine: nothing goes wrong, nothing is installed or downloaded; uv itself may be there."""
        self.recover()
        self._kill_all()
        if self.project.is_locked():
            self.project.pulumi("cancel", "--yes")
        places = [*self.base.glob("jobs/*"), *self.base.glob("venvs/*"), self.home / ".cache/huggingface"]
        packages = [place for name in (MIDDLE, *OTHERS) for place in self._uv_cache.glob(f"wheels-*/index/*/{name}")]
        for place in (*places, *packages):
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        for name in ("proving", ".local/share/lambda-vllm/venv", ".local/share/lambda-vllm/manifest.json"):
            (self.home / name).unlink(missing_ok=True)
        self.project.set_environment(HF_TOKEN=self.cloud.hf_token)
        self._change_pins()
        self.forget()
        self.mirror.forget()
        self.cloud.forget_requests()

    def _kill_all(self) -> None:
        while alive := processes_of(self.instance_id):
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(alive, timeout=10)

    def remove_uv(self) -> None:
        """Let the next jobs have to install uv first."""
        for folder in self.base.glob("uv-*"):
            shutil.rmtree(folder)

    def remove_hub_client(self) -> None:
        """Let the next download have to install what it asks the hub with."""
        for place in (*self._uv_cache.glob("environments-*"), *self._uv_cache.glob(f"wheels-*/index/*/{HUB_CLIENT}")):
            shutil.rmtree(place)

    def recover(self) -> None:
        """Nothing goes wrong any more."""
        self.mirror.recover()
        self.cloud.control("DELETE", "/faults")
        (self.home / "hold-proof").unlink(missing_ok=True)
        if self.has_own_disk:
            self.grow_disk()

    # What happens to it

    def up_until(self, seen: Callable[[], object], strike: Callable[[], None]) -> Run:
        """An `up` that something happens to as soon as something is seen; it has to fail, and not to hang."""
        with self.project.start("up") as cli:
            try:
                until(lambda: seen() or cli.poll() is not None, PATIENCE_S)
                assert cli.poll() is None, "the up ended before"
                strike()
                output, _ = cli.communicate(timeout=PATIENCE_S)
            except BaseException:
                # Leaving waits for its end.
                cli.kill()
                raise
        assert cli.returncode != 0, output
        return Run(cli.returncode, output)

    def kill_jobs(self) -> None:
        """End what works on the machine, by the signal that nothing can catch; those who follow it stay."""
        for process in processes_of(self.instance_id):
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                words = " ".join(process.cmdline())
                if "on_machine.jobs.runner" in words:
                    os.killpg(os.getpgid(process.pid), signal.SIGKILL)

    def reboot(self) -> None:
        """As in Lambda's console; it is over when the machine listens again."""
        before = self._boot_id()
        self.cloud.api("POST", "/instance-operations/restart", {"instance_ids": [self.instance_id]})
        until(lambda: self._boot_id() not in (before, ""), PATIENCE_S)

    def _boot_id(self) -> str:
        with suppress(FileNotFoundError):
            return (self.cloud.state / "machines" / self.instance_id / "run/boot_id").read_text()
        return ""

    def let_hub(self, operation: str, kind: str, after_files: int = 0, seconds: float | None = None) -> None:
        """Let the hub go wrong for good, after it has given out some files as it should."""
        if after_files:
            self.cloud.fault("hub-file", "hub-slow", after_files, seconds=0)
        self.cloud.fault(operation, kind, 1000, seconds)

    def cut_connections(self, after_bytes: int) -> None:
        """Lose every connection to the machine as soon as its command has said so much."""
        cut = {"operation": "ssh-command", "kind": "ssh-drop", "times": 1000, "after_bytes": after_bytes}
        self.cloud.control("POST", "/faults", cut)

    def hold_proof(self) -> None:
        """Let the proof wait, until `recover`."""
        (self.home / "hold-proof").touch()

    def shrink_disk(self, free_bytes: int) -> None:
        """Let the machine's disk have so much room left; with none a file takes the last of it."""
        disk = self.home.parents[1]
        room = os.statvfs(disk)
        used = (room.f_blocks - room.f_bfree) * room.f_frsize
        change_size(disk, used + (free_bytes or FILLER_BYTES))
        if not free_bytes:
            with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(4096))

    def grow_disk(self) -> None:
        """Let the machine's disk have its old size."""
        (self.home.parents[1] / "filler").unlink(missing_ok=True)
        change_size(self.home.parents[1], DISK_BYTES)

    # What is seen

    def is_in_the_middle(self) -> bool:
        """Whether the install waits for the package that is held, and uv has unpacked the others."""
        cached = {place.parent.name for place in self._uv_cache.glob("wheels-*/index/*/*/*.http")}
        return self.mirror.is_waited_for(MIDDLE) and cached >= OTHERS

    def is_proving(self) -> bool:
        """Whether the proof is held."""
        return (self.home / "proving").exists()

    def has_all_files(self) -> bool:
        """Whether every file of the model is there."""
        return self.here() == self.wanted

    def here(self) -> set[str]:
        """Paths of the model's files that are whole, perhaps not yet where programs look for them."""
        model = self.home / ".cache/huggingface/hub" / f"models--{MODEL.replace('/', '--')}"
        digests = {path: file.get("lfs", {}).get("sha256") or file["blobId"] for path, file in self._files.items()}
        snapshot = model / "snapshots" / self._commit
        return {
            path
            for path, digest in digests.items()
            if (snapshot / path).is_file() or (model / "blobs" / digest).is_file()
        }

    @property
    def wanted(self) -> set[str]:
        """Paths of the files that are to be downloaded."""
        return set(self._files)

    def has_part(self) -> bool:
        """Whether a file of the model is under way."""
        return any(self.home.glob(".cache/huggingface/hub/*/blobs/*.incomplete"))

    def forget(self) -> None:
        """Begin to count anew what is asked of the hub; what a killed job asked for is not counted later."""
        self._since = time.time()

    def fetched(self) -> Counter[str]:
        """How often each file of the model was asked for lately."""
        lately = [one for one in self.cloud.requests() if one["time"] >= self._since]
        files = [one for one in lately if one["operation"] == "resolve" and one["method"] == "GET"]
        return Counter(one["path"].partition(f"/resolve/{self._commit}/")[2] for one in files)

    def job(self, name: str) -> Path:
        """The folder of the one job of this name."""
        (folder,) = self.base.glob(f"jobs/{name}-*")
        return folder

    def was_begun_once(self, name: str) -> bool:
        """Whether the job was never started again, by its logs: each attempt has its own."""
        return (self.job(name) / "log").exists() and not (self.job(name) / "log.1").exists()

    def logs(self) -> str:
        """All that the jobs have written."""
        return "".join(file.read_text() for file in self.base.glob("jobs/*/*") if file.is_file())

    def environment(self) -> tuple[Path, int]:
        """The environment that is in use, and what changes when it is made anew."""
        place = (self.base / "venv").resolve()
        return place, (place / "pyvenv.cfg").stat().st_ino


def told(run: Run) -> list[str]:
    """The lines that say which job failed and why; the engine repeats them while it runs."""
    ends = run.output.partition("\nDiagnostics:\n")[2].splitlines()
    return [line.strip() for line in ends if line.strip().startswith(("install failed: ", "download failed: "))]


@contextmanager
def faulty_stack(folder: Path, environment: pytest.MonkeyPatch, filesystem: str | None = None) -> Iterator[FaultyStack]:
    """A stack whose first `up` has gone well. The machine has a disk of its own where that can be had, and caches on a
    filesystem where one is named."""
    uv_cache = folder / "uv-cache"
    (folder / "lock.txt").write_text(PACKAGES)
    locked = ["--no-deps", "--require-hashes", "--requirement"]
    wanted = [
        [*locked, str(LOCKS / "uv.txt")],
        [*locked, str(folder / "lock.txt")],
        [f"huggingface_hub=={TOOLS['huggingface_hub']}"],
    ]
    with mirror(folder / "wheels", *wanted) as packages:
        # What registries are reached with goes from here to the local cloud, and from there to its machines.
        for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
            environment.delenv(name)
        index = f"{packages.url}/simple"
        for name, value in {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index,
            "UV_DEFAULT_INDEX": index,
            "UV_CACHE_DIR": str(uv_cache),
            # As they are, these take a minute to find that a registry is down.
            "PIP_RETRIES": "1",
            "UV_HTTP_RETRIES": "1",
        }.items():
            environment.setenv(name, value)
        with local_cloud(folder / "cloud") as cloud, project(folder, cloud, PROGRAM) as made:
            if can_mount():
                disk = {"operation": "launch", "kind": "disk-full", "after_bytes": DISK_BYTES}
                cloud.control("POST", "/faults", disk)
            components = folder / "project/components"
            components.unlink()
            make_small_components(components)
            made.configure(filesystem=filesystem)
            yield FaultyStack(made, cloud, packages, components, uv_cache)


def change_size(disk: Path, size: int) -> None:
    """Give a disk in memory another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
