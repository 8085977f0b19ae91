"""Fetching and checking, until every wanted file is here with the right content."""

from collections.abc import Callable
from pathlib import Path

from components.on_machine.shared.work import WorkError, say
from components.on_machine.weights.check import check
from components.on_machine.weights.progress import reporting
from components.on_machine.weights.snapshot import File, Snapshot


def download(snapshot: Snapshot, fetch: Callable[[Snapshot], None], own_disk: Path) -> None:
    """Have them here; a wrong one is fetched once more. `fetch` brings what is missing, `own_disk` is a folder of this
    machine alone. `WorkError`."""
    snapshot.throw_away_parts(own_disk)
    wrong: list[File] = []
    for _ in range(2):
        with reporting("downloading", snapshot.bytes_here, lambda: snapshot.total_bytes):
            fetch(snapshot)
        wrong = check(snapshot)
        for file in wrong:
            snapshot.throw_away(file)
            say(f"{file.path} does not have the hash that the hub names: thrown away")
        if not wrong:
            return
    raise WorkError(
        f"{', '.join(file.path for file in wrong)[:200]}: twice not what the hub says it is, by its hash; something "
        "between the machine and the hub changes files, or hfEndpoint is a broken mirror",
        "weights-hash-mismatch",
    )
