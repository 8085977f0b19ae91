"""The weights of one commit of a model, on the disk and checked: download.py look|fetch MODEL COMMIT BYTES [EXCLUDE…]

BYTES is how much is to come by the plan, EXCLUDE are glob patterns of files that are not wanted. `look` ends with 0
when every file is here and checked, with 3 when there is something to do; it needs neither network nor packages.
`fetch` has it done by fetch.py, and then compares the content of every file with the hash that the hub names.

huggingface_hub 2.4 resumes a file within one run only: it writes under a new name each time, and what a killed run
leaves behind is never looked at again. So the files that are whole are kept, and the rest of a file is thrown away.
Runs with the machine's own Python 3.10 or newer.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

REPORT_S = 10.0
CHUNK_BYTES = 8 * 1024 * 1024
RESERVE_BYTES = 1024**3
"""What stays free on the disk beside the weights: logs, caches of compiled code."""
ABANDONED_S = 600.0
"""A part that nobody wrote to for so long belongs to no download; a silent hub is given up after 10 s."""
SOMETHING_TO_DO = 3


class DownloadError(Exception):
    """The weights cannot be had; the text is one line, or empty when it has been said."""


@dataclass(frozen=True)
class File:
    """A file as the hub names it."""

    path: str
    size: int
    digest: str
    """64 digits: SHA-256 of the content. 40: its name in Git, the SHA-1 of a header and the content."""


class Weights:
    """The wanted files of a commit, in the hub's cache on this machine, and beside it what was checked of them."""

    def __init__(self, model: str, commit: str, planned_bytes: int, excludes: list[str]) -> None:
        self.model, self.commit, self.planned_bytes, self.excludes = model, commit, planned_bytes, excludes
        home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
        name = f"models--{model.replace('/', '--')}"
        self.blobs = home / "hub" / name / "blobs"
        self.snapshot = home / "hub" / name / "snapshots" / commit
        # With the weights and not in the home: a filesystem outlives the machine that filled it.
        self.listing = home / "lambda-vllm" / name / f"{commit}.files.json"
        self._checked_file = self.listing.with_name(f"{commit}.checked.json")
        self._checked = _read(self._checked_file)
        self._lock = threading.Lock()

    @property
    def files(self) -> list[File]:
        """Those that are wanted, by the hub's listing; none before there is one."""
        named = [File(path, *said) for path, said in _read(self.listing).items()]
        return [file for file in named if not any(fnmatch(file.path, each) for each in self.excludes)]

    @property
    def total_bytes(self) -> int:
        """Of the wanted files; what was planned before they were listed."""
        return sum(file.size for file in self.files) or self.planned_bytes

    def place(self, file: File) -> Path:
        """Where a program finds it: a link to the blob, or the file itself where there are no links."""
        return self.snapshot / file.path

    def bytes_here(self) -> int:
        """Of the wanted files, those that are under way included; before they were listed, of all that is here."""
        if files := self.files:
            here = [file for file in files if self.place(file).is_file() or (self.blobs / file.digest).is_file()]
            return sum(file.size for file in here) + sum(map(_written, self.blobs.glob("*.incomplete")))
        return sum(map(_written, self.blobs.glob("*")))

    def unchecked(self) -> list[File]:
        """Files that are missing, or were not checked as they are now."""
        return [file for file in self.files if self._checked.get(file.path, []) != _stamp(self.place(file))]

    def is_here(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.files) and not self.unchecked()

    def remember(self, file: File) -> None:
        """Note that its content is right; threads may do so at once."""
        stamp = _stamp(self.place(file))
        assert stamp is not None
        with self._lock:
            self._checked[file.path] = stamp
            new = self._checked_file.with_suffix(f".{os.uname().nodename}-{os.getpid()}")
            new.write_text(json.dumps(self._checked))
            new.replace(self._checked_file)

    def throw_away(self, file: File) -> None:
        """Remove a file with wrong content, so that it is fetched anew."""
        place = self.place(file)
        place.resolve().unlink(missing_ok=True)
        place.unlink(missing_ok=True)

    def throw_away_parts(self) -> None:
        """Remove what killed runs left. On a filesystem that another machine may be filling, only what is old, by the
        filesystem's own clock: this machine's may be another."""
        now = self._filesystem_time()
        for part in self.blobs.glob("*.incomplete"):
            # The other machine may be done with it at this moment.
            with suppress(FileNotFoundError):
                is_shared = part.stat().st_dev != Path.home().stat().st_dev
                if not is_shared or now - part.stat().st_mtime > ABANDONED_S:
                    part.unlink()

    def _filesystem_time(self) -> float:
        """What is written at this moment is dated so; 0 where nothing can be written."""
        with suppress(OSError), tempfile.NamedTemporaryFile(dir=self.blobs, prefix=".time-") as dated:
            return os.fstat(dated.fileno()).st_mtime
        return 0.0

    def check_disk(self) -> None:
        """Raise `DownloadError` when what is still to come does not fit."""
        folder = self.blobs
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        wanted = max(0, self.total_bytes - self.bytes_here())
        if wanted and free < wanted + RESERVE_BYTES:
            raise DownloadError(
                f"{amount(free)} free on the disk of {folder}, the weights need {amount(wanted)} more and "
                f"{amount(RESERVE_BYTES)} to spare: choose an instance type with a larger disk, or a filesystem"
            )


def _read(file: Path) -> dict[str, Any]:
    """Pairs by path. A list that a crash of the machine damaged is thrown away, and made anew by whoever makes it."""
    try:
        said = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        said = None
    if isinstance(said, dict) and all(isinstance(pair, list) and len(pair) == 2 for pair in said.values()):
        return said
    file.unlink(missing_ok=True)
    return {}


def _written(part: Path) -> int:
    """Bytes of a file, perhaps under way. Xet makes it in its full length first, and fills it from several places."""
    try:
        said = part.stat()
    except FileNotFoundError:
        return 0
    return min(said.st_size, said.st_blocks * 512)


def _stamp(place: Path) -> list[int] | None:
    """What changes when a file is changed; None when there is none."""
    try:
        said = place.stat()
    except FileNotFoundError:
        return None
    return [said.st_size, said.st_mtime_ns]


def amount(count: float) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def progress(doing: str, done: float, before: float, total: float, seconds: float) -> str:
    """One line: bytes done of all, and by the bytes done `seconds` before, the rate and the time left."""
    rate = max(0.0, done - before) / seconds if seconds > 0 else 0.0
    line = f"{doing}: {amount(min(done, total))} of {amount(total)}, {rate / 1e6:.1f} MB/s"
    if not rate:
        return f"{line}, nothing came lately"
    left = max(0.0, total - done) / rate
    return f"{line}, {left:.0f} s left" if left < 120 else f"{line}, {left / 60:.0f} min left"


@contextmanager
def reporting(doing: str, done: Callable[[], int], total: Callable[[], int]) -> Iterator[None]:
    """Say every 10 seconds how far it is."""
    over = threading.Event()

    def report() -> None:
        before, at = done(), time.monotonic()
        while not over.wait(REPORT_S):
            now, clock = done(), time.monotonic()
            print(progress(doing, now, before, total(), clock - at), flush=True)
            before, at = now, clock

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def fetch(weights: Weights) -> None:
    """Have every wanted file here with the right content; a wrong one is fetched once more. Raise `DownloadError`."""
    weights.throw_away_parts()
    wrong: list[File] = []
    for _ in range(2):
        with reporting("downloading", weights.bytes_here, lambda: weights.total_bytes):
            ask_the_hub(weights)
        wrong = check(weights)
        for file in wrong:
            weights.throw_away(file)
            print(f"{file.path} does not have the hash that the hub names: thrown away", flush=True)
        if not wrong:
            return
    raise DownloadError(
        f"{', '.join(file.path for file in wrong)[:200]}: twice not what the hub says it is, by its hash; something "
        "between the machine and the hub changes files, or hfEndpoint is a broken mirror"
    )


def ask_the_hub(weights: Weights) -> None:
    """Run fetch.py where huggingface_hub is."""
    packages = f"huggingface_hub=={os.environ['HUGGINGFACE_HUB_VERSION']}"
    python = [os.environ["UV"], "run", "--quiet", "--no-project", "--no-config", "--with", packages, "python"]
    script = str(Path(__file__).with_name("fetch.py"))
    words = [weights.model, weights.commit, str(weights.listing), str(weights.snapshot), *weights.excludes]
    if subprocess.run([*python, script, *words], check=False).returncode != 0:
        raise DownloadError


def check(weights: Weights) -> list[File]:
    """The files whose content is not what the hub says, found on all cores; the others are remembered as right."""
    files = sorted(weights.unchecked(), key=lambda file: -file.size)
    done = [0]

    def is_right(file: File) -> bool:
        right = content_digest(weights.place(file), file.digest, done) == file.digest
        if right:
            weights.remember(file)
        return right

    total = sum(file.size for file in files)
    with reporting("checking", lambda: done[0], lambda: total), ThreadPoolExecutor(os.cpu_count()) as threads:
        right = list(threads.map(is_right, files))
    return [file for file, is_one in zip(files, right, strict=True) if not is_one]


def content_digest(place: Path, like: str, done: list[int]) -> str:
    """The digest of a file, of the kind that `like` is; counts the bytes in `done` on the way."""
    made = sha256() if len(like) == 64 else sha1(b"blob %d\0" % place.stat().st_size, usedforsecurity=False)
    with place.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            made.update(chunk)
            done[0] += len(chunk)
    return made.hexdigest()


def write_down(weights: Weights, seconds: float | None) -> None:
    """Say in the manifest what is here; `seconds` is what it took, None when it was here before."""
    manifest = [sys.executable, str(Path(__file__).with_name("manifest.py"))]
    key = f"{weights.model}@{weights.commit}"
    if seconds is None and subprocess.run([*manifest, "is", "weights", key], check=False).returncode == 0:
        return
    facts = {
        "model": weights.model,
        "commit": weights.commit,
        "bytes": weights.total_bytes,
        "seconds": round(seconds or 0),
        "files": len(weights.files),
    }
    words = [f"{name}={value}" for name, value in facts.items()]
    subprocess.run([*manifest, "record", "weights", key, *words], check=True)


def say_checked(weights: Weights, where: str) -> None:
    """The last line for the user."""
    files = f"{len(weights.files)} {'file' if len(weights.files) == 1 else 'files'}"
    print(f"{weights.model} is {where} and checked: {files}, {amount(weights.total_bytes)}")


def main(action: str, model: str, commit: str, planned_bytes: str, *excludes: str) -> int:
    """Look, or fetch; the exit status."""
    began = time.monotonic()
    weights = Weights(model, commit, int(planned_bytes), list(excludes))
    if not weights.is_here():
        weights.check_disk()
        if action == "look":
            return SOMETHING_TO_DO
        print(f"downloading {model} at {commit[:12]}, {amount(weights.total_bytes)}", flush=True)
        fetch(weights)
        say_checked(weights, "downloaded")
        write_down(weights, time.monotonic() - began)
    elif action == "look":
        say_checked(weights, "here")
        write_down(weights, None)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except DownloadError as error:
        sys.exit(f"error: {error}" if str(error) else 1)
