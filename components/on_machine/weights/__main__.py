"""Downloads the weights of one commit of a model and checks them: `MODEL COMMIT HUB_URL BYTES [EXCLUDE…]`.

Run as a job beside the install. Files that are whole are not fetched again, and nothing is asked of the network, and no
package is needed, when all of them are checked. BYTES is how much is to come by the plan, EXCLUDE are glob patterns of
files that are not wanted.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.on_machine.shared import manifest
from components.on_machine.shared.caches import cache_environment
from components.on_machine.shared.clock import now
from components.on_machine.shared.locks import is_locked, locked
from components.on_machine.shared.paths import Places, places
from components.on_machine.shared.uv import ensure_uv
from components.on_machine.shared.work import Facts, run_work, say
from components.on_machine.weights.download import download
from components.on_machine.weights.hub import Hub, environment
from components.on_machine.weights.progress import amount
from components.on_machine.weights.snapshot import Snapshot


def main(words: Sequence[str]) -> Facts:
    """Have all of it here and checked. `WorkError`; where fetch.py has said why it failed, the process ends."""
    model, commit, url, planned_bytes, *excludes = words
    home = places()
    # No vLLM runs here, so that the folders of its version do not matter.
    variables = {**os.environ, **cache_environment(home, vllm_version="")}
    hub_home = Path(variables.get("HF_HOME") or home.hub_home)
    with turn(home) as lock:
        snapshot = Snapshot(hub_home, model, commit, int(planned_bytes), excludes)
        if snapshot.is_here():
            return finish(home, snapshot, None)
        snapshot.check_disk()
        hub = Hub(ensure_uv(home), environment(home, variables, hub_home, url), lock)
        began = now()
        say(f"downloading {model} at {commit[:12]}, {amount(snapshot.total_bytes)}")
        download(snapshot, hub.fetch, home.home)
        return finish(home, snapshot, now() - began)


@contextmanager
def turn(home: Places) -> Iterator[int]:
    """Wait until no other download is under way: what a killed job left running still writes to the same files, and
    holds the lock until it ends. Gives the lock's descriptor."""
    lock = home.base / "download.lock"
    if is_locked(lock):
        say("an earlier download is still under way: waiting for its end")
    with locked(lock) as descriptor:
        yield descriptor


def finish(home: Places, snapshot: Snapshot, seconds: float | None) -> Facts:
    """Tell the user and the manifest what is here; `seconds` is what it took, None when it was here before."""
    facts: dict[str, Any] = {
        "model": snapshot.model,
        "commit": snapshot.commit,
        "bytes": snapshot.total_bytes,
        "files": len(snapshot.files),
    }
    files = f"{facts['files']} {'file' if facts['files'] == 1 else 'files'}"
    where = "here" if seconds is None else "downloaded"
    say(f"{snapshot.model} is {where} and checked: {files}, {amount(facts['bytes'])}")
    key = f"{snapshot.model}@{snapshot.commit}"
    if seconds is not None or not manifest.is_recorded(home.manifest, "weights", key):
        manifest.record(home.manifest, "weights", key, {**facts, "seconds": round(seconds or 0)})
    return facts


if __name__ == "__main__":
    run_work(lambda: main(sys.argv[1:]))
