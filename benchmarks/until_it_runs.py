"""From a machine that answers SSH to a model that answers: this program against the same commands typed one by one.

Both on one machine, one after the other, with the tiny model of the local cloud and vLLM on the CPU. The hub gives its
files slowly, so that the download takes about as long as the install, as it does for 8B on a real machine.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import Table, against
from tests.local_cloud import LocalCloud, local_cloud
from tests.pulumi_project import Project, project

HAND = Path(__file__).with_name("by_hand.sh")
FLAGS = {"dtype": "bfloat16", "enforce-eager": True, "max-num-seqs": 4}
BOUND_OVERLAPPED = 0.8
BOUND_ALONE = 1.02
BASE = ".local/share/lambda-vllm"
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
    """Cold, with empty caches, then warm."""
    whole = Table(
        "From SSH to the first token",
        ("caches", "this program s", "by hand s", "ratio", "remote commands besides the jobs s"),
    )
    steps = Table("What cannot overlap", ("caches", "step", "this program s", "by hand s", "ratio"))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UV_CACHE_DIR"] = str(Path(folder) / "uv")
        for caches in ("cold", "warm"):
            print(f"{caches} caches ...", file=sys.stderr, flush=True)
            ours, theirs = _measure(Path(folder) / caches, caches == "cold", Path(folder) / "uv")
            overlapped = against(ours.whole / theirs.whole, BOUND_OVERLAPPED)
            besides = ours.whole - max(ours.install, ours.download) - ours.start
            whole.add(caches, f"{ours.whole:.1f}", f"{theirs.whole:.1f}", overlapped, f"{besides:.1f}")
            for step in ("install", "start"):
                mine, hand = getattr(ours, step), getattr(theirs, step)
                steps.add(caches, step, f"{mine:.1f}", f"{hand:.1f}", against(mine / hand, BOUND_ALONE))
    whole.show()
    steps.show()


def _measure(folder: Path, cold: bool, cache: Path) -> tuple[Taken, Taken]:
    folder.mkdir()
    with _stack(folder) as (made, cloud):
        _slow_hub(cloud)
        made.up()
        outputs = made.outputs()
        home = cloud.home(outputs["instance_id"])
        ours = _ours(home, outputs["timeline"])
        _forget(outputs, cache if cold else None)
        _slow_hub(cloud)
        theirs = _by_hand(home, outputs, cloud.url)
        made.destroy()
    return ours, theirs


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


def _ours(home: Path, timeline: dict[str, float]) -> Taken:
    """The whole is from the first folder that is made on the machine to the first token."""
    began = (home / BASE / "jobs").stat().st_ctime
    first = min(path.stat().st_mtime for path in (home / BASE / "scripts").iterdir())
    ready = (home / BASE / "start-seconds").stat().st_mtime
    return Taken(timeline["install"], timeline["download"], timeline["start"], ready - min(began, first))


def _ssh(outputs: dict[str, Any], folder: Path) -> list[str]:
    key = folder / "bench-key"
    key.unlink(missing_ok=True)
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.write(outputs["ssh_private_key"])
    words = shlex.split(outputs["ssh"])
    words[words.index("-i") + 1] = str(key)
    return words


def _forget(outputs: dict[str, Any], cache: Path | None) -> None:
    """Stop the service and drop what the other way has to get or find out itself; packages only when they are cold."""
    with tempfile.TemporaryDirectory() as folder:
        command = "systemctl --user stop lambda-vllm.service; rm -rf ~/.cache"
        subprocess.run([*_ssh(outputs, Path(folder)), command], check=True, capture_output=True)
    if cache:
        subprocess.run(["rm", "-rf", str(cache)], check=True)


def _by_hand(home: Path, outputs: dict[str, Any], hub: str) -> Taken:
    config = json.loads((home / ".config/lambda-vllm/vllm.yaml").read_text())
    (home / "by_hand.sh").write_bytes(HAND.read_bytes())
    command = f"bash by_hand.sh {config['model']} {config['revision']} {hub}"
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        done = subprocess.run([*_ssh(outputs, Path(folder)), command], check=True, capture_output=True, text=True)
        whole = time.monotonic() - began
    seconds = dict(line.split() for line in done.stdout.splitlines())
    return Taken(**{step: float(value) for step, value in seconds.items()}, whole=whole)


if __name__ == "__main__":
    main()
