"""How far a download is, what it does about refusals, and what it takes for checked."""

import errno
import json
import os
import re
import time
from hashlib import sha1, sha256
from pathlib import Path

import httpx2
import pytest
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

from components.on_machine.weights import download
from components.on_machine.weights.download import DownloadError, Weights, check, progress, reporting
from components.on_machine.weights.fetch import MOST_FAILURES, RefusedError, answer_of, persist, retry_after

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


def test_progress_is_said_while_it_lasts_and_not_after(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "REPORT_S", 0.01)
    calls: list[int] = []

    def done() -> int:
        calls.append(len(calls) * 1_000_000)
        return calls[-1]

    with reporting("downloading", done, lambda: 9_000_000_000):
        while len(calls) < 4:
            time.sleep(0.01)
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"downloading: 1\.0 MB of 9\.00 GB, [\d.]+ MB/s, \d+ (s|min) left", lines[0])
    time.sleep(0.05)
    assert capsys.readouterr().out == ""


def test_what_may_pass_is_tried_a_few_times_with_longer_and_longer_waits() -> None:
    waits: list[float] = []

    def step() -> None:
        raise refusal(503)

    with pytest.raises(RefusedError, match=f"the hub answered 503, {MOST_FAILURES} times in a row"):
        persist(step, lambda: 0, MODEL, waits.append)
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
    ("error", "told"),
    [
        (refusal(401, "Invalid credentials in Authorization header"), "perhaps it was revoked: set hfToken"),
        (refusal(403, "You are not in the authorized list.", GatedRepoError), "accept the licence"),
        (refusal(403, "Your fine-grained token may not read gated repositories"), "fine-grained token"),
        (refusal(404), "check model and hfToken"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
    ],
)
def test_what_will_not_pass_ends_it_at_once_also_when_it_is_wrapped(error: OSError, told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        answer_of(error, MODEL)
    wrapped = LocalEntryNotFoundError("cannot find the file")
    wrapped.__cause__ = error
    with pytest.raises(RefusedError, match=told):
        answer_of(wrapped, MODEL)


def test_a_link_that_has_expired_is_asked_for_again() -> None:
    assert answer_of(refusal(403), MODEL) == "the hub answered 403"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A commit with a file in Git LFS, one in Git, and one that is not wanted; the cache has the first two."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    made = Weights(MODEL, COMMIT, 10**9, ["original/*"])
    digests = {
        "model.safetensors": sha256(CONTENT).hexdigest(),
        "config.json": sha1(b"blob %d\0" % len(CONTENT) + CONTENT, usedforsecurity=False).hexdigest(),
        "original/model.pth": "f" * 64,
    }
    made.listing.parent.mkdir(parents=True)
    made.listing.write_text(json.dumps({path: [len(CONTENT), digest] for path, digest in digests.items()}))
    made.snapshot.mkdir(parents=True)
    made.blobs.mkdir()
    for path in ("model.safetensors", "config.json"):
        (made.blobs / digests[path]).write_bytes(CONTENT)
        (made.snapshot / path).symlink_to(made.blobs / digests[path])
    return made


def again() -> Weights:
    """As the next run finds it."""
    return Weights(MODEL, COMMIT, 10**9, ["original/*"])


def test_files_are_checked_once_and_then_known_to_later_runs(weights: Weights) -> None:
    assert not weights.is_here()
    assert check(weights) == []
    assert again().is_here()
    assert check(again()) == []


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
def test_a_wrong_byte_is_found_in_every_kind_of_file(weights: Weights, path: str) -> None:
    place = weights.snapshot / path
    place.write_bytes(b"X" + CONTENT[1:])
    assert [file.path for file in check(weights)] == [path]
    assert not again().is_here()


def test_a_wrong_file_is_thrown_away_with_its_blob(weights: Weights) -> None:
    (file,) = [one for one in weights.files if one.path == "config.json"]
    weights.throw_away(file)
    assert not (weights.blobs / file.digest).exists()
    assert not weights.place(file).is_symlink()
    assert [one.path for one in weights.unchecked() if not weights.place(one).exists()] == ["config.json"]


def test_what_was_checked_and_changed_since_is_checked_again(weights: Weights) -> None:
    check(weights)
    (weights.snapshot / "config.json").write_bytes(b"X" + CONTENT)
    assert [file.path for file in again().unchecked()] == ["config.json"]


@pytest.mark.parametrize("damage", ["", '{"model.safetensors": [12', "[]", '{"config.json": null}'])
def test_a_list_that_a_crash_damaged_is_made_anew_and_does_not_stop_the_download_for_ever(
    weights: Weights, damage: str
) -> None:
    check(weights)
    checked = weights.listing.with_name(f"{COMMIT}.checked.json")
    checked.write_text(damage)
    assert len(again().unchecked()) == 2
    weights.listing.write_text(damage)
    assert not again().is_here()
    assert not weights.listing.exists()


def test_files_under_way_count_by_what_is_written_of_them(weights: Weights) -> None:
    assert weights.bytes_here() == weights.total_bytes == 2 * len(CONTENT)
    with (weights.blobs / f"{'e' * 64}.12345678.incomplete").open("wb") as part:
        part.truncate(10**9)
    assert weights.bytes_here() == 2 * len(CONTENT)


def test_halves_of_a_killed_run_are_thrown_away(weights: Weights) -> None:
    part = weights.blobs / f"{'e' * 64}.12345678.incomplete"
    part.write_bytes(CONTENT)
    weights.throw_away_parts()
    assert not part.exists()
    assert check(weights) == []


def test_on_a_shared_filesystem_only_old_halves_are_thrown_away_whatever_this_machines_clock_says(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On another filesystem than the home.
    monkeypatch.setattr(Path, "home", lambda: Path("/proc"))
    monkeypatch.setattr(time, "time", lambda: 4e9)
    of_another_machine, old = (weights.blobs / f"{name * 64}.12345678.incomplete" for name in "ef")
    of_another_machine.write_bytes(CONTENT)
    old.write_bytes(CONTENT)
    long_ago = old.stat().st_mtime - 2 * download.ABANDONED_S
    os.utime(old, (long_ago, long_ago))
    weights.throw_away_parts()
    assert (of_another_machine.exists(), old.exists()) == (True, False)
    assert not list(weights.blobs.glob(".time-*"))


def test_a_disk_without_room_for_the_rest_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(DownloadError, match=r"free on the disk of .*, the weights need 1000000000\.00 GB more"):
        Weights(MODEL, COMMIT, 10**18, []).check_disk()
