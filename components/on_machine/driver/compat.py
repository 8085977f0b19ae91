"""Fetches NVIDIA's compatibility libraries for CUDA 13.0.

Lambda's package sources do not have them as far as it was seen, NVIDIA's own repository for each Ubuntu does. The
newest package is taken, since NVIDIA removes older ones; its content has to have the SHA-256 that the repository's
index names, and both come over TLS from the same server. It is unpacked into a folder, whole or not at all: neither
root nor the machine's own package sources are touched. The folder is then what LD_LIBRARY_PATH is given.
"""

import gzip
import hashlib
import re
import shutil
import subprocess
import time
import urllib.request
import zlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from components.on_machine.shared.work import say
from components.vllm.release.driver.cuda import COMPAT_PACKAGE as PACKAGE

INSIDE = Path("usr/local/cuda-13.0/compat")
"""Where the package has its libraries."""
PROOF = "libcuda.so.1"
PLATFORMS = {"aarch64": "sbsa", "x86_64": "x86_64"}
"""NVIDIA's words; sbsa is ARM in servers."""
ATTEMPTS = 4
TIMEOUT_S = 60.0


class CompatError(Exception):
    """The libraries cannot be had; the text is one line."""


class Package(NamedTuple):
    """One version in the repository's index."""

    version: str
    file: str
    sha256: str

    @property
    def order(self) -> list[int]:
        """What makes 580.105.08 newer than 580.95.05."""
        return [int(number) for number in re.findall(r"\d+", self.version)]


def newest(index: str) -> Package:
    """The newest version of the package that the text of a `Packages` file names; `CompatError` when it has none."""
    found = []
    for paragraph in index.split("\n\n"):
        said = dict(re.findall(r"^(\S+): (.*)$", paragraph, re.MULTILINE))
        if said.get("Package") == PACKAGE:
            found.append(Package(said["Version"], said["Filename"].removeprefix("./"), said["SHA256"]))
    if not found:
        raise CompatError(f"NVIDIA's repository has no {PACKAGE} for this machine")
    return max(found, key=lambda package: package.order)


def read(url: str, sleep: Callable[[float], None] = time.sleep) -> bytes:
    """What is at a URL, asked for some times; `CompatError` when it does not come."""
    why = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            say(f"{url.split('/')[2]} does not answer, trying again")
            sleep(2.0**attempt)
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the caller's own server
                return bytes(answer.read())
        except (OSError, HTTPException) as error:
            why = str(error)
    raise CompatError(f"{url} cannot be fetched: {why}")


def fetch(repository: str, folder: Path, sleep: Callable[[float], None] = time.sleep) -> Package:
    """Have the libraries in a folder, which must not exist; `CompatError`."""
    package = newest(_unpacked(f"{repository}/Packages.gz", sleep))
    say(f"fetching {PACKAGE} {package.version} from NVIDIA's repository, without root")
    content = read(f"{repository}/{package.file}", sleep)
    if hashlib.sha256(content).hexdigest() != package.sha256:
        raise CompatError(f"{package.file} does not have the hash that NVIDIA's repository names")
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    archive = new / "package.deb"
    archive.write_bytes(content)
    subprocess.run(["dpkg-deb", "--extract", str(archive), str(new)], check=True)
    if not (new / INSIDE / PROOF).exists():
        raise CompatError(f"{package.file} has no {INSIDE / PROOF}")
    (new / INSIDE).rename(folder)
    shutil.rmtree(new)
    return package


def have(
    repositories: str, ubuntu: str, architecture: str, folder: Path, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Fetch them unless they are there; `CompatError`, or what the disk and `dpkg-deb` raise."""
    if (folder / PROOF).exists():
        return
    platform = PLATFORMS.get(architecture)
    if platform is None:
        raise CompatError(f"NVIDIA has no {PACKAGE} for {architecture}")
    fetch(f"{repositories}/ubuntu{ubuntu.replace('.', '')}/{platform}", folder, sleep)


def _unpacked(url: str, sleep: Callable[[float], None]) -> str:
    try:
        return gzip.decompress(read(url, sleep)).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise CompatError(f"{url} is damaged: {error}") from None
