"""What the download asks of the hub: `MODEL COMMIT LISTING SNAPSHOT [EXCLUDE…]`, where huggingface_hub 2.4 is.

Writes the files of the commit into LISTING, `{path: [bytes, digest]}`, unless it is there; then fetches what SNAPSHOT,
the commit's folder in the hub's cache, does not have yet. A digest of 64 digits is the SHA-256 of the content (Git
LFS), one of 40 the file's name in Git. What may pass is tried again; what will not pass ends it with one line, which is
the outcome of the job that it is a part of.
"""

import errno
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from huggingface_hub.hf_api import RepoFile

from components.on_machine.shared.files import replace_shared_file
from components.on_machine.shared.work import WorkError, run_work, say

MOST_FAILURES = 6
"""So many in a row, without one more file, are the end."""
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 300.0
PASSING = (OSError, HTTPError, XetDownloadError, RuntimeError)
"""What a bad network or a busy hub raises; RuntimeError is Xet's."""


def fetch(
    model: str, commit: str, listing: Path, snapshot: Path, excludes: Sequence[str], sleep: Callable[[float], None]
) -> None:
    """Have the listing, and every wanted file of it in the snapshot; `WorkError` when it is no use to ask again now."""

    def files_here() -> int:
        return sum(path.is_file() for path in snapshot.rglob("*"))

    if not listing.is_file():
        persist(lambda: write_listing(model, commit, listing), files_here, model, sleep)
    persist(lambda: download(model, commit, listing, snapshot, excludes), files_here, model, sleep)


def write_listing(model: str, commit: str, listing: Path) -> None:
    """Note what the commit has, which never changes."""
    tree = HfApi().list_repo_tree(model, revision=commit, recursive=True)
    files = [one for one in tree if isinstance(one, RepoFile)]
    said = {one.path: [one.size, one.lfs.sha256 if one.lfs else one.blob_id] for one in files}
    listing.parent.mkdir(parents=True, exist_ok=True)
    replace_shared_file(listing, json.dumps(said))


def download(model: str, commit: str, listing: Path, snapshot: Path, excludes: Sequence[str]) -> None:
    """Fetch what is missing, as `hf download` does."""
    snapshot_download(model, revision=commit, ignore_patterns=list(excludes))
    # Without an answer of the hub it is content with a snapshot that it cannot tell from a whole one.
    paths = [path for path in json.loads(listing.read_text()) if not any(fnmatch(path, each) for each in excludes)]
    missing = [path for path in paths if not (snapshot / path).is_file()]
    if missing:
        raise OSError(f"did not come: {missing[0]}" + (f", and {len(missing) - 1} more" if len(missing) > 1 else ""))


def persist(
    step: Callable[[], None], files_here: Callable[[], int], model: str, sleep: Callable[[float], None]
) -> None:
    """Do a step, again after a failure that may pass, at most `MOST_FAILURES` times in a row without one more file."""
    failures, had = 0, files_here()
    while True:
        try:
            return step()
        except PASSING as error:
            answer = answer_of(error, model)
            have = files_here()
            failures, had = (1 if have > had else failures + 1), have
            # `diagnose` leaves these lines out.
            print(f"retried: {type(error).__name__}: {' '.join(str(error).split())[:400]}", file=sys.stderr, flush=True)
            if failures == MOST_FAILURES:
                raise WorkError(
                    f"{answer}, {MOST_FAILURES} times in a row: run `pulumi up` again in some minutes, it goes on with "
                    "the files that are missing",
                    "hub-unavailable",
                ) from None
            wait = retry_after(error) or FIRST_WAIT_S * 2 ** (failures - 1)
            say(f"{answer}: trying again in {wait:.0f} s")
            sleep(wait)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from: huggingface_hub wraps a refusal of the hub as a file that is missing here."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def hub_error(error: BaseException) -> HfHubHTTPError | None:
    """The hub's own answer behind an error; None when there was none."""
    return next((one for one in chain(error) if isinstance(one, HfHubHTTPError)), None)


def answer_of(error: BaseException, model: str) -> str:
    """What happened, in some words; `WorkError` when asking again is no use."""
    if any(isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT) for one in chain(error)):
        raise WorkError(
            "the machine's disk is full: choose an instance type with a larger disk, or a filesystem for the weights",
            "disk-full",
        )
    answered = hub_error(error)
    if answered is None:
        return "the hub did not answer, or not to the end"
    status, said = answered.response.status_code, (answered.server_message or "").strip()
    # A 403 without a message is a link of the hub's storage that has expired.
    if isinstance(answered, GatedRepoError) or (status == 403 and said):
        raise WorkError(
            f"the hub does not give {model} to your token ({status}: {said[:160]}): accept the licence on the model's "
            "page, or set an hfToken that may read it, then run `pulumi up` again",
            "gated",
        )
    if isinstance(answered, RevisionNotFoundError):
        raise WorkError(f"the hub has no such commit of {model} any more: set modelRevision anew", "no-such-commit")
    if status == 401 and not isinstance(answered, RepositoryNotFoundError):
        raise WorkError(
            "the hub refused the token (401), perhaps it was revoked: set hfToken or HF_TOKEN anew", "token-refused"
        )
    if status in (401, 404):
        raise WorkError(f"the hub has no {model} for your token ({status}): check model and hfToken", "no-such-model")
    return f"the hub answered {status}"


def retry_after(error: BaseException) -> float:
    """Seconds that the hub asks to wait, within bounds; 0 when it does not say."""
    answered = hub_error(error)
    said = answered.response.headers.get("Retry-After", "") if answered else ""
    return min(LONGEST_WAIT_S, float(said)) if said.isdecimal() else 0.0


def main(model: str, commit: str, listing: str, snapshot: str, *excludes: str) -> None:
    """By the words of the command line."""
    fetch(model, commit, Path(listing), Path(snapshot), excludes, time.sleep)


if __name__ == "__main__":
    run_work(lambda: main(*sys.argv[1:]))
