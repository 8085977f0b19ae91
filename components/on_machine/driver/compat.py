"""Fetches NVIDIA's compatibility libraries for CUDA 13.0: compat.py REPOSITORIES UBUNTU ARCHITECTURE FOLDER

Lambda's package sources do not have them as far as it was seen, NVIDIA's own repository for each Ubuntu does. The
newest package is taken, since NVIDIA removes older ones; its content has to have the SHA-256 that the repository's
index names, and both come over TLS from the same server. It is unpacked into FOLDER, whole or not at all: neither root
nor the machine's own package sources are touched. FOLDER is then what LD_LIBRARY_PATH is given. Runs with the machine's
own Python 3.10 or newer.
"""

import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PACKAGE = "cuda-compat-13-0"
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
            print(f"{url.split('/')[2]} does not answer, trying again", flush=True)
            sleep(2.0**attempt)
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the caller's own server
                return bytes(answer.read())
        except OSError as error:
            why = str(error)
    raise CompatError(f"{url} cannot be fetched: {why}")


def fetch(repository: str, folder: Path) -> Package:
    """Have the libraries in a folder, which must not exist; `CompatError`."""
    package = newest(gzip.decompress(read(f"{repository}/Packages.gz")).decode())
    print(f"fetching {PACKAGE} {package.version} from NVIDIA's repository, without root", flush=True)
    content = read(f"{repository}/{package.file}")
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


def main(repositories: str, ubuntu: str, architecture: str, folder: str) -> None:
    """Fetch them unless they are there."""
    if not (Path(folder) / PROOF).exists():
        platform = PLATFORMS.get(architecture)
        if platform is None:
            raise CompatError(f"NVIDIA has no {PACKAGE} for {architecture}")
        fetch(f"{repositories}/ubuntu{ubuntu.replace('.', '')}/{platform}", Path(folder))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (CompatError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
