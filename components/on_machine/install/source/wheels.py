"""The shelf of kept wheels, on a filesystem that outlives the machine or else on the machine.

wheels/KEY/*.whl        vLLM's wheel, and Triton's where it was built too
wheels/KEY/commit       what it was built from
wheels/KEY/SHA256SUMS   of all of these, as sha256sum writes them
"""

import hashlib
import shutil
import socket
from pathlib import Path

from components.on_machine.install.source.plan import Plan
from components.on_machine.install.source.tools import Tools
from components.on_machine.shared.work import say

SUMS, COMMIT = "SHA256SUMS", "commit"


class Shelf:
    """The place of the wheels of one build."""

    def __init__(self, wheels: Path, key: str, machine: Path) -> None:
        """`machine` is a folder that this machine has to itself."""
        self.wheels = wheels
        self.folder = wheels / key
        # Machines of one computer have one name.
        self._new = wheels / f".new-{key}-{socket.gethostname()}-{machine.stat().st_ino}"

    def is_kept(self) -> bool:
        """Whether they are there and whole; those that are damaged are thrown away."""
        if not self.folder.is_dir():
            return False
        if is_whole(self.folder):
            return True
        say(f"the wheel in {self.folder} is damaged: building it again")
        shutil.rmtree(self.folder, ignore_errors=True)
        return False

    @property
    def commit(self) -> str:
        """What the wheels were built from."""
        return (self.folder / COMMIT).read_text().strip()

    def keep(self, built: Path, commit: str) -> None:
        """Keep the wheels of a folder. They get their name only when they are whole; without room they are not kept."""
        shutil.rmtree(self._new, ignore_errors=True)
        try:
            self._new.mkdir(parents=True)
            for wheel in built.glob("*.whl"):
                shutil.copyfile(wheel, self._new / wheel.name)
            (self._new / COMMIT).write_text(f"{commit}\n")
            sums = "".join(f"{sha256(file)}  {file.name}\n" for file in sorted(self._new.iterdir()))
            (self._new / SUMS).write_text(sums)
            self._name()
        except OSError:
            say(f"the wheel cannot be kept in {self.wheels}: it is installed all the same")
        shutil.rmtree(self._new, ignore_errors=True)

    def _name(self) -> None:
        try:
            self._new.rename(self.folder)
        except OSError:
            # Another machine may have been faster: then its wheel stays.
            if not self.folder.is_dir():
                raise


def is_whole(folder: Path) -> bool:
    """Whether each file of the list is there with its hash."""
    try:
        sums = [line.split("  ", 1) for line in (folder / SUMS).read_text().splitlines()]
        return bool(sums) and all(sha256(folder / name) == digest for digest, name in sums)
    except (OSError, ValueError):
        return False


def sha256(file: Path) -> str:
    """In hexadecimal digits."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1024**2):
            digest.update(block)
    return digest.hexdigest()


def install_wheels(tools: Tools, plan: Plan, folder: Path, work: Path) -> None:
    """Install vLLM, and Triton where it was built too, out of a folder. `WorkError`."""
    say(f"installing vLLM {plan.pins.version}, built for compute capability {plan.capabilities}")
    override: tuple[str | Path, ...] = ()
    if plan.pins.without:
        file = work / "override.txt"
        file.write_text(f"{plan.pins.without}; sys_platform == 'never'\n")
        override = ("--override", file)
    if plan.triton:
        tools.install("Triton", "--no-deps", "--reinstall-package", "triton", *sorted(folder.glob("triton-*.whl")))
    wheels = sorted(folder.glob("vllm-*.whl"))
    options = (*plan.capped, *override, "--reinstall-package", "vllm")
    # torch by name, so that no dependency changes the one that vLLM was built with.
    tools.install(f"vLLM {plan.pins.version}", *options, *wheels, f"torch=={plan.pins.torch}")
