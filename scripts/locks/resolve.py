"""Asks uv what a target's packages are, and how large."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.locks.targets import Target


class LockError(Exception):
    """A lock cannot be made; the text says why."""


@dataclass
class Pin:
    """One package: its version and every wheel that a machine of the target may choose."""

    name: str
    version: str
    hashes: set[str] = field(default_factory=set)
    largest: int = 0
    """Bytes of the largest of the wheels."""

    def line(self) -> str:
        """As pip and uv read it, without a line break."""
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in sorted(self.hashes))
        return f"{self.name}=={self.version} {hashes}\n"


class Resolver:
    """uv of the version that the machines use, in a folder for its files."""

    def __init__(self, uv_version: str, folder: Path) -> None:
        self._uv = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", f"uv=={uv_version}", "uv"]
        self._folder = folder

    def resolve(self, target: Target) -> dict[str, Pin]:
        """The pins of a target, the same for all its Pythons: what the oldest resolves to binds the others.

        Raises:
            LockError: uv finds no solution, or a package has no wheel.
        """
        pins: dict[str, Pin] = {}
        for python in target.pythons:
            for package in self._compile(target, python, pins):
                pin = pins.setdefault(package["name"], Pin(package["name"], package["version"]))
                for wheel in package["wheels"]:
                    pin.hashes.add(wheel["hashes"]["sha256"])
                    pin.largest = max(pin.largest, wheel["size"])
        return dict(sorted(pins.items()))

    def installed_bytes(self, target: Target, lock: Path) -> int:
        """What the packages take on a disk, by installing them."""
        place = self._folder / f"installed-{target.name}"
        self._run(
            "pip",
            "install",
            *("--target", place, "--no-deps", "--no-build", "--require-hashes"),
            *("--python-platform", target.platform, "--python-version", target.pythons[-1]),
            *("--requirements", lock),
        )
        return sum(path.lstat().st_blocks * 512 for path in place.rglob("*"))

    def _compile(self, target: Target, python: str, bound: dict[str, Pin]) -> list[dict[str, Any]]:
        wanted, overrides, constraints = (
            self._write(f"{name}.txt", text)
            for name, text in (
                ("wanted", target.requirements),
                ("overrides", target.overrides),
                ("constraints", "".join(f"{pin.name}=={pin.version}\n" for pin in bound.values())),
            )
        )
        output = self._folder / "pylock.toml"
        output.unlink(missing_ok=True)
        self._run(
            "pip",
            "compile",
            wanted,
            *("--overrides", overrides, "--constraints", constraints),
            *("--python-platform", target.platform, "--python-version", python),
            *("--only-binary", ":all:", "--format", "pylock.toml", "--output-file", output),
        )
        packages: list[dict[str, Any]] = tomllib.loads(output.read_text())["packages"]
        for package in packages:
            if not package.get("wheels"):
                raise LockError(f"{package['name']} {package['version']} has no wheel for {target.title}")
        return packages

    def _write(self, name: str, text: str) -> Path:
        file = self._folder / name
        file.write_text(text)
        return file

    def _run(self, *words: str | Path) -> None:
        done = subprocess.run(
            [*self._uv, *map(str, words)],
            env={**os.environ, "UV_NO_PROGRESS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LockError(f"uv {words[0]} {words[1]} failed:\n{done.stderr.strip()}")


def lock_text(target: Target, pins: Sequence[Pin], installed_bytes: int) -> str:
    """The file. Its second line is for the install, which tells the user and looks whether the disk can hold it."""
    download = sum(pin.largest for pin in pins)
    return (
        f"# {target.title}, Python {', '.join(target.pythons)}. Made by `python -m scripts.locks`.\n"
        f"# packages={len(pins)} download_mb={download // 10**6} installed_mb={installed_bytes // 10**6}\n"
        + "".join(pin.line() for pin in pins)
    )
