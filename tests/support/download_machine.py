"""A home directory in which the download of weights runs as a job."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from components.on_machine.jobs.job import Job, JobError, Result
from components.on_machine.shared.paths import Places
from components.on_machine.shared.secret_input import with_end
from components.vllm.programs import PACKAGE
from components.vllm.release.install.versions import TOOLS
from tests.support.local_cloud import LocalCloud
from tests.support.machine_release import lay_release

MODEL = "meta-llama/Llama-3.1-70B-Instruct"

WEIGHTS = f"{PACKAGE}.weights"

UV = Path(sys.executable).with_name("uv")

UV_CACHE = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache/uv")


class Machine:
    """A home directory with the programs, in which the download runs as a job."""

    def __init__(self, home: Path, cloud: LocalCloud) -> None:
        self.places, self.cloud = Places(home), cloud
        self.cache = home / ".cache/huggingface"
        self.info = requests.get(f"{cloud.url}/api/models/{MODEL}?blobs=true", timeout=60).json()
        self.release = lay_release(home)
        self.uv = self.places.base / f"uv-{TOOLS['uv']}/bin/uv"
        self.uv.parent.mkdir(parents=True)
        self.uv.symlink_to(UV)
        self.write_token(cloud.hf_token)
        self.forget_requests()

    def write_token(self, token: str) -> None:
        with self._start(f"{WEIGHTS}.token", stdin=subprocess.PIPE) as writing:
            assert writing.communicate(with_end(token), timeout=60) == ("", "")
        assert writing.returncode == 0

    def start(self, key: str = "1") -> "subprocess.Popen[str]":
        """Ask for the download, and go on."""
        words = [MODEL, self.info["sha"], self.cloud.url, str(self.bytes), "original/*"]
        return self._start(f"{PACKAGE}.jobs", "download", key, "weights", *words)

    def _start(self, module: str, *words: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.places.home),
            "UV_CACHE_DIR": str(UV_CACHE),
            "HF_HOME": str(self.cache),
            # Of the user, for other purposes; the hub refuses it.
            "HF_TOKEN": "hf_of_somebody_else",
        }
        return subprocess.Popen(
            ["python3", "-m", module, *words],
            env=environment,
            cwd=self.release,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, key: str = "1") -> tuple[int, str]:
        """Ask for the download and follow it to its end: exit status, all it said to people."""
        with self.start(key) as asked:
            _, said = asked.communicate(timeout=200)
        return asked.returncode, said

    def result(self, key: str = "1") -> Result:
        """What came of the job."""
        found = Job(self.places, "download", key).result
        assert found is not None
        return found

    def error(self) -> JobError:
        """Why it failed."""
        found = self.result().error
        assert found is not None
        return found

    @property
    def wanted(self) -> dict[str, int]:
        """Sizes of the files by their path."""
        return {path: file["size"] for path, file in self._files.items()}

    @property
    def _files(self) -> dict[str, dict[str, Any]]:
        named = {file["rfilename"]: file for file in self.info["siblings"]}
        return {path: file for path, file in named.items() if not path.startswith("original/")}

    @property
    def bytes(self) -> int:
        return sum(self.wanted.values())

    @property
    def snapshot(self) -> Path:
        return self.cache / "hub" / f"models--{MODEL.replace('/', '--')}" / "snapshots" / str(self.info["sha"])

    def here(self) -> set[str]:
        """Paths of the files that are whole, perhaps not yet where programs look for them."""
        blobs = self.snapshot.parents[1] / "blobs"
        digests = {path: file.get("lfs", {}).get("sha256") or file["blobId"] for path, file in self._files.items()}
        return {path for path, name in digests.items() if (self.snapshot / path).is_file() or (blobs / name).is_file()}

    def parts(self) -> list[Path]:
        return list(self.cache.rglob("*.incomplete"))

    def forget_requests(self) -> None:
        self._since = time.time()

    def requests(self) -> list[dict[str, Any]]:
        """What was asked of the hub lately; those that a killed run left unanswered come late into the cloud's log."""
        return [one for one in self.cloud.requests() if one["time"] >= self._since]

    def fetched(self) -> Counter[str]:
        """How often each file was asked for lately."""
        files = [one for one in self.requests() if one["operation"] == "resolve" and one["method"] == "GET"]
        return Counter(one["path"].partition(f"/resolve/{self.info['sha']}/")[2] for one in files)

    def is_right(self) -> bool:
        """Whether every file has the content that it has on the hub."""
        hub = self.cloud.state / "hub" / MODEL.replace("/", "--")
        return all((self.snapshot / path).read_bytes() == (hub / path).read_bytes() for path in self.wanted)

    def manifest(self) -> Any:
        return json.loads(self.places.manifest.read_text())["weights"]

    def processes(self, command: str = "") -> list[psutil.Process]:
        """All that runs in this home, or what has such a command line."""
        found = psutil.process_iter(["environ", "cmdline"])
        mine = [one for one in found if (one.info["environ"] or {}).get("HOME") == str(self.places.home)]
        return [one for one in mine if command in f"{' '.join(one.info['cmdline'] or [])} "]

    def kill_all(self) -> None:
        """As when the power goes."""
        while running := self.processes():
            kill(running)


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, 10)
