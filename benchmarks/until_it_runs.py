"""From a machine that answers SSH to a model that answers: this program against the same commands typed one by one.

Both on one machine, one after the other, with the tiny model of the local cloud and vLLM on the CPU. The hub gives its
files slowly, so that the download takes about as long as the install, as it does for 8B on a real machine.

One start is often a fifth longer than the next with nothing changed, so the steps that cannot overlap are also
repeated on that machine, in pairs whose order turns about, and the median of the pairs' ratios is what counts.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import Table, against
from components.vllm.server import swap_command
from components.vllm.stack import VllmStackArgs, install_command
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.pulumi_project import Project, project

HAND = Path(__file__).with_name("by_hand.sh")
FLAGS = {"dtype": "bfloat16", "enforce-eager": True, "max-num-seqs": 4}
BOUND_OVERLAPPED = 0.8
BOUND_ALONE = 1.02
BASE = ".local/share/lambda-vllm"
PAIRS = 5
STOP = (
    "systemctl --user stop lambda-vllm.service; "
    "find ~/.cache -mindepth 1 -maxdepth 1 ! -name huggingface -exec rm -rf {} + 2>/dev/null || true"
)
"""Ends the server and drops what vLLM has found out at earlier starts, but not the weights."""
DOWNLOAD_S = 30.0
"""How long the hub takes for each file of weights."""


@dataclass(frozen=True)
class Taken:
    """Seconds of each step, and of all."""

    install: float
    download: float
    start: float
    whole: float


def main() -> None:
    """Cold, with empty caches, then warm, then the steps that cannot overlap again and again."""
    whole = Table(
        "From SSH to the first token",
        ("caches", "this program s", "by hand s", "ratio", "remote commands besides the jobs s"),
    )
    steps = Table(f"What cannot overlap, medians of {PAIRS} pairs", ("step", "this program s", "by hand s", "ratio"))
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "uv"
        os.environ["UV_CACHE_DIR"] = str(cache)
        for caches in ("cold", "warm"):
            print(f"{caches} caches ...", file=sys.stderr, flush=True)
            with _machine(Path(folder) / caches) as machine:
                ours = _ours(machine)
                _forget(machine, cache if caches == "cold" else None)
                theirs = machine.by_hand("install", "download", "start")
                besides = ours.whole - max(ours.install, ours.download) - ours.start
                ratio = against(ours.whole / theirs.whole, BOUND_OVERLAPPED)
                whole.add(caches, f"{ours.whole:.1f}", f"{theirs.whole:.1f}", ratio, f"{besides:.1f}")
                if caches == "warm":
                    for step in ("install", "start"):
                        steps.add(step, *_pairs(machine, step))
    whole.show()
    steps.show()


@dataclass(frozen=True)
class Machine:
    """A machine on which this program has made a server, and what is needed to work on it by hand."""

    home: Path
    outputs: dict[str, Any]
    cloud: LocalCloud

    def run(self, command: str) -> str:
        """What a command there prints."""
        with tempfile.TemporaryDirectory() as folder:
            words = [*_ssh(self.outputs, Path(folder)), command]
            return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def by_hand(self, *steps: str) -> Taken:
        """The same by hand; a step that is not asked for takes no time."""
        config = json.loads((self.home / ".config/lambda-vllm/current/vllm.yaml").read_text())
        (self.home / "by_hand.sh").write_bytes(HAND.read_bytes())
        words = [config["model"], config["revision"], self.cloud.url, *steps]
        _slow_hub(self.cloud)
        printed = self.run(f"bash by_hand.sh {shlex.join(words)}")
        seconds = {step: float(value) for step, value in map(str.split, printed.splitlines())}
        taken = {step: seconds.get(step, 0.0) for step in ("install", "download", "start")}
        return Taken(**taken, whole=sum(taken.values()))

    def again(self, step: str) -> float:
        """Seconds of a step of this program, as if it had never run."""
        if step == "install":
            self.run(f"rm -rf {BASE}/jobs/install-* {BASE}/venv {BASE}/venvs {BASE}/uv-*")
            command = install_command(VllmStackArgs())
        else:
            key = (self.home / ".config/lambda-vllm/current").resolve().name
            command = swap_command(key, 600)
        printed = self.run(f"began=$(date +%s.%N); {command} >&2 && echo $began $(date +%s.%N)")
        began, ended = map(float, printed.split())
        return ended - began


def _pairs(machine: Machine, step: str) -> tuple[str, str, str]:
    """Medians of both ways, and of the pairs' ratios."""
    pairs: list[tuple[float, float]] = []
    for number in range(PAIRS):
        print(f"{step}, pair {number + 1} of {PAIRS} ...", file=sys.stderr, flush=True)
        taken: dict[str, float] = {}
        for way in ("ours", "hand") if number % 2 else ("hand", "ours"):
            machine.run(STOP)
            taken[way] = machine.again(step) if way == "ours" else getattr(machine.by_hand(step), step)
        pairs.append((taken["ours"], taken["hand"]))
    print(pairs, file=sys.stderr)
    ours, hand = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return f"{ours:.1f}", f"{hand:.1f}", against(ratio, BOUND_ALONE)


@contextmanager
def _machine(folder: Path) -> Iterator[Machine]:
    folder.mkdir()
    with _stack(folder) as (made, cloud):
        _slow_hub(cloud)
        made.up()
        outputs = made.outputs()
        yield Machine(cloud.home(outputs["instance_id"]), outputs, cloud)
        made.destroy()


@contextmanager
def _stack(folder: Path) -> Iterator[tuple[Project, LocalCloud]]:
    with local_cloud(folder / "cloud") as cloud, project(folder, cloud) as made:
        made.configure(
            apiUrl=cloud.url, hfEndpoint=cloud.url, sshPort=2222, maxModelLen=512, vllmArgs=FLAGS,
            allowedCidrs=["127.0.0.0/8"],
        )  # fmt: skip
        yield made, cloud


def _slow_hub(cloud: LocalCloud) -> None:
    cloud.control("DELETE", "/faults")
    cloud.fault("hub-file", "hub-slow", times=1, seconds=DOWNLOAD_S)


def _ours(machine: Machine) -> Taken:
    """The whole is from the first folder that is made on the machine to the first token."""
    base, timeline = machine.home / BASE, machine.outputs["timeline"]
    began = min((base / "jobs").stat().st_ctime, *(path.stat().st_mtime for path in (base / "scripts").iterdir()))
    whole = (base / "timeline.jsonl").stat().st_mtime - began
    return Taken(timeline["install"], timeline["download"], timeline["start"], whole)


def _ssh(outputs: dict[str, Any], folder: Path) -> list[str]:
    key = folder / "bench-key"
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.write(outputs["ssh_private_key"])
    words = shlex.split(outputs["ssh"])
    words[words.index("-i") + 1] = str(key)
    return words


def _forget(machine: Machine, cache: Path | None) -> None:
    """Stop the service and drop what the other way has to get or find out itself; packages only when they are cold."""
    machine.run(f"{STOP}; rm -rf ~/.cache")
    if cache:
        subprocess.run(["rm", "-rf", str(cache)], check=True)


if __name__ == "__main__":
    main()
