"""Makes the locks anew from versions.json: `python -m scripts.locks [NAME …]`; all of them without a name.

Every package is installed once into a folder that is thrown away, to know how large it is: that takes gigabytes.
"""

import sys
import tempfile
from pathlib import Path

from components.vllm.release.install.versions import LOCKS, TOOLS
from scripts.locks.resolve import LockError, Pin, Resolver, lock_text
from scripts.locks.targets import ARCHITECTURES, Target, targets, uv_target


def make_lock(resolver: Resolver, target: Target) -> str:
    """Write the lock of a target; one line about its size."""
    pins = list(resolver.resolve(target).values())
    file = LOCKS / f"{target.name}.txt"
    file.write_text(lock_text(target, pins, 0))
    installed = resolver.installed_bytes(target, file)
    file.write_text(lock_text(target, pins, installed))
    download = sum(pin.largest for pin in pins)
    return (
        f"{target.name}: {len(pins)} packages, {download / 1e9:.2f} GB to download, {installed / 1e9:.2f} GB installed"
    )


def make_uv_lock(resolver: Resolver) -> str:
    """One file for both architectures, since pip reads it before anybody knows which one it is."""
    both = [resolver.resolve(uv_target(architecture))["uv"] for architecture in ARCHITECTURES]
    pin = Pin("uv", both[0].version, both[0].hashes | both[1].hashes)
    (LOCKS / "uv.txt").write_text(f"# uv {pin.version}. Made by `python -m scripts.locks`.\n{pin.line()}")
    return f"uv: {pin.version}"


def main(names: list[str]) -> None:
    """Make the named locks."""
    known = {target.name: target for target in targets()}
    for name in names:
        if name not in {*known, "uv"}:
            sys.exit(f"there is no lock {name}; there are {', '.join([*known, 'uv'])}")
    for name in names or [*known, "uv"]:
        with tempfile.TemporaryDirectory() as folder:
            resolver = Resolver(TOOLS["uv"], Path(folder))
            try:
                print(make_uv_lock(resolver) if name == "uv" else make_lock(resolver, known[name]), flush=True)
            except LockError as error:
                sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
