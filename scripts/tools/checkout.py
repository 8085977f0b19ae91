"""Where things are in a checkout of this project."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    """The folders that set-up reads and the only ones it writes."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def requirements(self) -> list[Path]:
        """The last one names the others."""
        names = ("requirements.txt", "localcloud/requirements.txt", "requirements-dev.txt")
        return [self.root / name for name in names]

    @property
    def tools(self) -> Path:
        return self.root / ".tools"

    @property
    def bin(self) -> Path:
        """The Pulumi CLI and its helpers, all or none."""
        return self.tools / "bin"

    @property
    def pulumi_home(self) -> Path:
        return self.tools / "pulumi-home"

    @property
    def logs(self) -> Path:
        return self.tools / "log"

    @property
    def cli_module(self) -> Path:
        return self.root / "scripts" / "pulumi-cli"

    @property
    def language_host_module(self) -> Path:
        return self.root / "scripts" / "pulumi-language-python"


def this_checkout() -> Checkout:
    return Checkout(Path(__file__).resolve().parents[2])


def digest(files: list[Path]) -> str:
    """One SHA-256 over the content of several files, in hexadecimal."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def pinned(file: Path, pattern: str) -> str:
    """The version that `pattern`'s one group finds in a file of pins, so that no version is written in two places."""
    found = re.search(pattern, file.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{file}: nothing matches {pattern}")
    return found[1]
