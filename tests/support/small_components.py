"""A copy of `components/` in which an install takes two seconds instead of half a minute and six gigabytes.

Three things are small: the lock for CPUs is five packages, the proof imports one of them, and the waits between two
questions to the hub are a hundredth. Everything else is as it is.
"""

import platform
import shutil
from pathlib import Path

from tests.support.pulumi_cli import REPOSITORY

PACKAGES = """\
iniconfig==2.3.1 --hash=sha256:9121e2c1fdb355232495be3194c8dfe87ccc2d5dee45947b78e68f499790d7a7
pluggy==1.7.0 --hash=sha256:7dd7b0d8832ba3cb632c306926ded123429211b83641b35dc5c41ad2d34f9bec
six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274
sniffio==1.3.1 --hash=sha256:2f6da418d1f1e0fddd844478f41680e794e6051915791a034ff65e5f100525a2
toml==0.10.2 --hash=sha256:806143ae5bfb6a3c6e736a764057db0e6a0e05e338b5630894a5f779cabb4f9b
"""
MIDDLE = "pluggy"
"""The package at which an install is stopped, when the others are there."""
OTHERS = {line.partition("==")[0] for line in PACKAGES.splitlines()} - {MIDDLE}
PROOF = """\
import json, pathlib, sys, time
import pluggy
hold = pathlib.Path.home() / "hold-proof"
if hold.exists():
    hold.with_name("proving").touch()
while hold.exists():
    time.sleep(0.1)
print(json.dumps({"vllm": sys.argv[2], "pluggy": pluggy.__version__}))
"""

QUICK = "wait = time.sleep\ntime.sleep = lambda seconds: wait(seconds / 100)\n"
"""For fetch.py: its own waits between two questions to the hub, and those of huggingface_hub, are a hundredth."""


def make_small_components(folder: Path) -> None:
    """Make the copy at `folder`, which is not there yet."""
    shutil.copytree(REPOSITORY / "components", folder, ignore=shutil.ignore_patterns("__pycache__"))
    programs = folder / "on_machine"
    (programs / "install/prove.py").write_text(PROOF)
    fetch = programs / "weights/fetch.py"
    before, clock, after = fetch.read_text().partition("import time\n")
    assert clock
    fetch.write_text(before + clock + QUICK + after)
    write_lock(folder, 0)


def write_lock(folder: Path, number: int) -> None:
    """Write the lock of this machine; with another number it is another lock of the same packages."""
    lock = folder / f"vllm/release/install/locks/cpu-{platform.machine()}.txt"
    lock.write_text(f"# {number}\n# packages=5 download_mb=1 installed_mb=2\n{PACKAGES}")
