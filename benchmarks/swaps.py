"""Swaps of the model on one machine with real vLLM, there and back, with a fault in every third: `swaps.py [COUNT]`.

What counts: how long at most no model was served, against the time that a load takes, and what is left of it all.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import requests

from benchmarks.table import Table, against
from localcloud.machines.processes import processes_of
from tests.support.local_cloud import local_cloud
from tests.support.pulumi_project import Project, project

FLAGS = {"dtype": "bfloat16", "enforce-eager": True, "max-num-seqs": 4}
MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct")
COUNT = 50
BOUND = 1.2
"""The end of the old server, requests that are under way not counted, is a part of the outage."""
LOOK_S = 0.25
FAULTS = (
    # One that vLLM's own configuration of the model finds while the old model serves, and one of the engine.
    {"hf-overrides": '{"architectures": ["NoSuchModel"]}'},
    {"worker-cls": "no.such.Worker"},
)


@dataclass(frozen=True)
class Left:
    """What a machine has at a moment."""

    processes: int
    ports: int
    files: int
    memory_mb: float


class Watch:
    """Asks the endpoint all the time, and keeps the longest time without an answer of a model."""

    def __init__(self, outputs: dict[str, Any], folder: Path) -> None:
        self.longest = 0.0
        self._url = f"{outputs['endpoint']}/models"
        self._headers = {"Authorization": f"Bearer {outputs['api_key']}"}
        self._verify: str | bool = True
        if "ca_certificate" in outputs:
            (folder / "ca.pem").write_text(outputs["ca_certificate"])
            self._verify = str(folder / "ca.pem")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        answered = time.monotonic()
        while not self._over.wait(LOOK_S):
            try:
                if requests.get(self._url, headers=self._headers, timeout=10, verify=self._verify).ok:
                    answered = time.monotonic()
            except requests.RequestException:
                pass
            self.longest = max(self.longest, time.monotonic() - answered)


def main() -> None:
    """Swap, and show what it cost."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), count)


def _measure(folder: Path, count: int) -> None:
    with local_cloud(folder / "cloud") as cloud, project(folder, cloud) as made:
        made.configure(
            apiUrl=cloud.url, hfEndpoint=cloud.url, sshPort=2222, maxModelLen=512, vllmArgs=FLAGS,
            allowedCidrs=["127.0.0.0/8"],
        )  # fmt: skip
        made.up()
        # Both models have been there once before anything is counted.
        for model in (MODELS[1], MODELS[0]):
            _swap(made, model)
        outputs = made.outputs()
        home = cloud.home(outputs["instance_id"])
        before = _left(outputs["instance_id"], home)
        watch = Watch(outputs, folder)
        _swaps(made, count)
        watch.end()
        after = _left(outputs["instance_id"], home)
        lines = (home / ".local/share/lambda-vllm/timeline.jsonl").read_text().splitlines()
        _show([json.loads(line) for line in lines[3:]], watch.longest, before, after)
        made.destroy()


def _swaps(made: Project, count: int) -> None:
    """There and back; it ends with the model that it began with."""
    place = 0
    for number in range(count):
        print(f"swap {number + 1} of {count} ...", file=sys.stderr, flush=True)
        if number % 3 == 2:
            made.configure(model=MODELS[1 - place], vllmArgs={**FLAGS, **FAULTS[number // 3 % len(FAULTS)]})
            assert MODELS[place] in made.up(succeeds=False).output
            made.configure(model=MODELS[place], vllmArgs=FLAGS)
            made.up()
        else:
            place = 1 - place
            _swap(made, MODELS[place])
        assert made.output("model") == MODELS[place]
    _swap(made, MODELS[0])


def _swap(made: Project, model: str) -> None:
    made.configure(model=model, vllmArgs=FLAGS)
    made.up()


def _left(instance_id: str, home: Path) -> Left:
    processes = processes_of(instance_id)
    ports = sum(c.status == psutil.CONN_LISTEN for p in processes for c in p.net_connections("tcp"))
    listed = subprocess.run(
        ["find", str(home), "-type", "f", "-not", "-path", "*/venvs/*", "-not", "-path", "*/.cache/*"],
        capture_output=True,
        text=True,
        check=True,
    )
    memory = sum(p.memory_info().rss for p in processes) / 1e6
    return Left(len(processes), ports, len(listed.stdout.splitlines()), memory)


def _show(starts: list[dict[str, Any]], longest: float, before: Left, after: Left) -> None:
    table = Table("Swaps of the model", ("what", "how many", "longest outage s", "of it loading s", "ratio"))
    whole = [(one["outage"], one["start"]) for one in starts if one["why"] == "change" and one["result"] == "served"]
    # After a fault both loads count: of the setting that failed, and of the one that is served again.
    back = [
        (one["outage"], failed["start"] + one["start"]) for failed, one in pairwise(starts) if one["why"] == "fall back"
    ]
    for name, outages in (("swap", whole), ("fault while loading", back)):
        outage, loading = max(outages, default=(0.0, 1.0))
        table.add(name, len(outages), f"{outage:.1f}", f"{loading:.1f}", against(outage / loading, BOUND))
    table.add("as seen by a client", "", f"{longest:.1f}", "", "")
    table.show()
    left = Table("What is left on the machine", ("", "processes", "ports", "files", "memory MB"))
    for name, one in (("before", before), ("after", after)):
        left.add(name, one.processes, one.ports, one.files, f"{one.memory_mb:.0f}")
    left.show()


if __name__ == "__main__":
    main()
