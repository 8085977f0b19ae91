"""Writes files and links whole or not at all, also when the machine loses its power."""

import json
import os
from pathlib import Path


def replace_file(file: Path, content: str, mode: int = 0o600) -> None:
    """Give the name to a new file with this content. It is on the disk before it has the name: a reboot may come."""
    new = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


def replace_link(link: Path, target: Path) -> None:
    """Let a link lead elsewhere in one step."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def read_variables(file: Path) -> dict[str, str]:
    """Variables of an environment, from JSON; none when the file is missing."""
    variables: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return variables
