"""Whether the content of files is what the hub says, by its hashes.

`HfApi.verify_repo_checksums` of huggingface_hub 2.4 is no substitute: it asks the hub for the listing every time, reads
one file after the other, says nothing meanwhile, takes excluded files for missing ones and remembers nothing.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1, sha256
from pathlib import Path

from components.on_machine.weights.progress import reporting
from components.on_machine.weights.snapshot import File, Snapshot

CHUNK_BYTES = 8 * 1024 * 1024
SHA256_DIGITS = 64


def check(snapshot: Snapshot) -> list[File]:
    """The files whose content is not what the hub says, found on all cores; the others are remembered as right."""
    files = sorted(snapshot.unchecked(), key=lambda file: -file.size)
    done = dict.fromkeys((file.path for file in files), 0)

    def is_right(file: File) -> bool:
        def count(read: int) -> None:
            done[file.path] += read

        right = content_digest(snapshot.place(file), file.digest, count) == file.digest
        if right:
            snapshot.remember(file)
        return right

    total = sum(file.size for file in files)
    with (
        reporting("checking", lambda: sum(done.values()), lambda: total),
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        right = list(threads.map(is_right, files))
    return [file for file, is_one in zip(files, right, strict=True) if not is_one]


def content_digest(place: Path, like: str, count: Callable[[int], None]) -> str:
    """The digest of a file, of the kind that `like` is; `count` is told the bytes that were read, on the way."""
    if len(like) == SHA256_DIGITS:
        made = sha256()
    else:
        made = sha1(b"blob %d\0" % place.stat().st_size, usedforsecurity=False)
    with place.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            made.update(chunk)
            count(len(chunk))
    return made.hexdigest()
