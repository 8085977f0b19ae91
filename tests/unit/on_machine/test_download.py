"""How far a download is, what it does about refusals, and what it takes for checked."""

import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable
from hashlib import sha1, sha256
from pathlib import Path

import httpx2
import pytest
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RevisionNotFoundError

from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError
from components.on_machine.weights.check import check
from components.on_machine.weights.download import download
from components.on_machine.weights.fetch import MOST_FAILURES, answer_of, persist, retry_after
from components.on_machine.weights.hub import environment
from components.on_machine.weights.progress import progress, reporting
from components.on_machine.weights.snapshot import ABANDONED_S, Snapshot

MODEL, COMMIT = "acme/small-1B", "c" * 40
CONTENT = b"weights" * 1000


def refusal(
    status: int, message: str | None = None, kind: type[HfHubHTTPError] = HfHubHTTPError, wait: str | None = None
) -> OSError:
    """What huggingface_hub raises for an answer of the hub; `wait` is its Retry-After."""
    headers = {} if wait is None else {"Retry-After": wait}
    response = httpx2.Response(status, headers=headers, request=httpx2.Request("GET", "http://hub/file"))
    return kind(f"{status} Client Error", response=response, server_message=message)


@pytest.mark.parametrize(
    ("done", "before", "total", "seconds", "line"),
    [
        (3.2e9, 1.2e9, 16e9, 10, "downloading: 3.20 GB of 16.00 GB, 200.0 MB/s, 64 s left"),
        (2e9, 1.9e9, 140e9, 10, "downloading: 2.00 GB of 140.00 GB, 10.0 MB/s, 230 min left"),
        (0, 0, 5e6, 10, "downloading: 0.0 MB of 5.0 MB, 0.0 MB/s, nothing came lately"),
        (1e6, 4e6, 5e6, 10, "downloading: 1.0 MB of 5.0 MB, 0.0 MB/s, nothing came lately"),
        (6e6, 4e6, 5e6, 10, "downloading: 5.0 MB of 5.0 MB, 0.2 MB/s, 0 s left"),
        (1e6, 0, 5e6, 0, "downloading: 1.0 MB of 5.0 MB, 0.0 MB/s, nothing came lately"),
        (0, 0, 0, 10, "downloading: 0.0 MB of 0.0 MB, 0.0 MB/s, nothing came lately"),
    ],
)
def test_progress_is_one_line_whatever_the_numbers(
    done: float, before: float, total: float, seconds: float, line: str
) -> None:
    assert progress("downloading", done, before, total, seconds) == line


def test_progress_is_said_while_it_lasts_and_not_after(capsys: pytest.CaptureFixture[str]) -> None:
    threads = threading.active_count()
    calls: list[int] = []
    enough = threading.Event()

    def done() -> int:
        calls.append(len(calls) * 1_000_000)
        if len(calls) > 3:
            enough.set()
        return calls[-1]

    with reporting("downloading", done, lambda: 9_000_000_000, every_s=0.01):
        assert enough.wait(60)
    assert threading.active_count() == threads
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"downloading: 1\.0 MB of 9\.00 GB, [\d.]+ MB/s, \d+ (s|min) left", lines[0])


def test_what_may_pass_is_tried_a_few_times_with_longer_and_longer_waits() -> None:
    waits: list[float] = []

    def step() -> None:
        raise refusal(503)

    with pytest.raises(WorkError, match=f"the hub answered 503, {MOST_FAILURES} times in a row") as caught:
        persist(step, lambda: 0, MODEL, waits.append)
    assert caught.value.code == "hub-unavailable"
    assert waits == [2, 4, 8, 16, 32]


def test_a_failure_after_which_more_files_are_there_is_not_counted_with_those_before() -> None:
    waits: list[float] = []
    files = iter(range(100))

    def step() -> None:
        if len(waits) < 3 * MOST_FAILURES:
            raise httpx2.ReadTimeout("silent")

    persist(step, lambda: next(files), MODEL, waits.append)
    assert waits == [2] * 3 * MOST_FAILURES


@pytest.mark.parametrize(("said", "waited"), [("7", 7), ("86400", 300), ("tomorrow", 0), ("-1", 0)])
def test_the_hub_may_say_how_long_to_wait_within_bounds(said: str, waited: float) -> None:
    assert retry_after(refusal(429, wait=said)) == waited


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            refusal(401, "Invalid credentials in Authorization header"),
            "token-refused",
            "perhaps it was revoked: set hfToken",
        ),
        (refusal(403, "You are not in the authorized list.", GatedRepoError), "gated", "accept the licence"),
        (refusal(403, "Your fine-grained token may not read gated repositories"), "gated", "fine-grained token"),
        (refusal(404), "no-such-model", "check model and hfToken"),
        (refusal(404, kind=RevisionNotFoundError), "no-such-commit", "set modelRevision anew"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full", "disk is full"),
    ],
)
def test_what_will_not_pass_ends_it_at_once_also_when_it_is_wrapped(error: OSError, code: str, told: str) -> None:
    wrapped = LocalEntryNotFoundError("cannot find the file")
    wrapped.__cause__ = error
    for one in (error, wrapped):
        with pytest.raises(WorkError, match=told) as caught:
            answer_of(one, MODEL)
        assert caught.value.code == code


def test_a_link_that_has_expired_is_asked_for_again() -> None:
    assert answer_of(refusal(403), MODEL) == "the hub answered 403"


DIGESTS = {
    "model.safetensors": sha256(CONTENT).hexdigest(),
    "config.json": sha1(b"blob %d\0" % len(CONTENT) + CONTENT, usedforsecurity=False).hexdigest(),
    "original/model.pth": "f" * 64,
}
"""A file in Git LFS, one in Git, and one that is not wanted."""


def put(snapshot: Snapshot, path: str, content: bytes = CONTENT) -> None:
    """As huggingface_hub lays a file down."""
    blob = snapshot.blobs / DIGESTS[path]
    blob.write_bytes(content)
    (snapshot.folder / path).symlink_to(blob)


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """A commit that is listed; the cache has all that is wanted of it."""
    made = again(tmp_path)
    made.listing.parent.mkdir(parents=True)
    made.listing.write_text(json.dumps({path: [len(CONTENT), digest] for path, digest in DIGESTS.items()}))
    made.folder.mkdir(parents=True)
    made.blobs.mkdir()
    for path in ("model.safetensors", "config.json"):
        put(made, path)
    return made


def again(hub_home: Path) -> Snapshot:
    """As the next run finds it."""
    return Snapshot(hub_home, MODEL, COMMIT, 10**9, ["original/*"])


def test_files_are_checked_once_and_then_known_to_later_runs(snapshot: Snapshot, tmp_path: Path) -> None:
    assert not snapshot.is_here()
    assert check(snapshot) == []
    assert again(tmp_path).is_here()
    assert check(again(tmp_path)) == []


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
def test_a_wrong_byte_is_found_in_every_kind_of_file(snapshot: Snapshot, tmp_path: Path, path: str) -> None:
    place = snapshot.folder / path
    place.write_bytes(b"X" + CONTENT[1:])
    assert [file.path for file in check(snapshot)] == [path]
    assert not again(tmp_path).is_here()


def test_a_wrong_file_is_thrown_away_with_its_blob(snapshot: Snapshot) -> None:
    (file,) = [one for one in snapshot.files if one.path == "config.json"]
    snapshot.throw_away(file)
    assert not (snapshot.blobs / file.digest).exists()
    assert not snapshot.place(file).is_symlink()
    assert [one.path for one in snapshot.unchecked() if not snapshot.place(one).exists()] == ["config.json"]


def test_what_was_checked_and_changed_since_is_checked_again(snapshot: Snapshot, tmp_path: Path) -> None:
    check(snapshot)
    (snapshot.folder / "config.json").write_bytes(b"X" + CONTENT)
    assert [file.path for file in again(tmp_path).unchecked()] == ["config.json"]


@pytest.mark.parametrize("damage", ["", '{"model.safetensors": [12', "[]", '{"config.json": null}'])
def test_a_list_that_a_crash_damaged_is_made_anew_and_does_not_stop_the_download_for_ever(
    snapshot: Snapshot, tmp_path: Path, damage: str
) -> None:
    check(snapshot)
    checked = snapshot.listing.with_name(f"{COMMIT}.checked.json")
    checked.write_text(damage)
    assert len(again(tmp_path).unchecked()) == 2
    snapshot.listing.write_text(damage)
    assert not again(tmp_path).is_here()
    assert not snapshot.listing.exists()


def test_files_under_way_count_by_what_is_written_of_them(snapshot: Snapshot) -> None:
    assert snapshot.bytes_here() == snapshot.total_bytes == 2 * len(CONTENT)
    with (snapshot.blobs / f"{'e' * 64}.12345678.incomplete").open("wb") as part:
        part.truncate(10**9)
    assert snapshot.bytes_here() == 2 * len(CONTENT)


def test_halves_of_a_killed_run_are_thrown_away(snapshot: Snapshot, tmp_path: Path) -> None:
    part = snapshot.blobs / f"{'e' * 64}.12345678.incomplete"
    part.write_bytes(CONTENT)
    snapshot.throw_away_parts(tmp_path)
    assert not part.exists()
    assert check(snapshot) == []


def test_on_a_shared_filesystem_only_old_halves_are_thrown_away_whatever_this_machines_clock_says(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 4e9)
    of_another_machine, old = (snapshot.blobs / f"{name * 64}.12345678.incomplete" for name in "ef")
    of_another_machine.write_bytes(CONTENT)
    old.write_bytes(CONTENT)
    long_ago = old.stat().st_mtime - 2 * ABANDONED_S
    os.utime(old, (long_ago, long_ago))
    of_another_filesystem = Path("/proc")
    snapshot.throw_away_parts(of_another_filesystem)
    assert (of_another_machine.exists(), old.exists()) == (True, False)
    assert not list(snapshot.blobs.glob(".time-*"))


def test_a_disk_without_room_for_the_rest_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"free on the disk of .*, the weights need 1000000000\.00 GB more") as caught:
        Snapshot(tmp_path, MODEL, COMMIT, 10**18, []).check_disk()
    assert caught.value.code == "disk-too-small"


def hub_of(*contents: bytes) -> Callable[[Snapshot], None]:
    """A hub that gives out the next of the contents each time, for every file that is missing."""
    left = list(contents)

    def fetch(snapshot: Snapshot) -> None:
        content = left.pop(0)
        for file in snapshot.files:
            if not snapshot.place(file).exists():
                put(snapshot, file.path, content)

    return fetch


def test_only_what_is_wrong_is_fetched_once_more(snapshot: Snapshot, tmp_path: Path) -> None:
    (snapshot.folder / "config.json").write_bytes(b"X" + CONTENT)
    download(snapshot, hub_of(b"nothing is missing", CONTENT), tmp_path)
    assert again(tmp_path).is_here()
    assert (snapshot.folder / "config.json").read_bytes() == CONTENT


def test_a_file_that_is_wrong_twice_is_named_and_kept_by_no_cache(snapshot: Snapshot, tmp_path: Path) -> None:
    (file,) = [one for one in snapshot.files if one.path == "config.json"]
    snapshot.throw_away(file)
    with pytest.raises(WorkError, match=r"^config\.json: twice not what the hub says it is") as caught:
        download(snapshot, hub_of(b"wrong", b"wrong again"), tmp_path)
    assert caught.value.code == "weights-hash-mismatch"
    assert not (snapshot.blobs / file.digest).exists()


def test_the_token_that_counts_is_the_one_in_its_file(tmp_path: Path) -> None:
    home = Places(tmp_path)
    around = {"HF_TOKEN": "hf-a", "HUGGING_FACE_HUB_TOKEN": "hf-b", "HF_TOKEN_PATH": "/elsewhere", "LANG": "C"}
    made = environment(home, around, tmp_path / "cache", "http://hub")
    assert "hf-a" not in made.values() and "hf-b" not in made.values()
    assert made["HF_TOKEN_PATH"] == str(home.hub_token)
    assert (made["HF_HOME"], made["HF_ENDPOINT"], made["LANG"]) == (str(tmp_path / "cache"), "http://hub", "C")
