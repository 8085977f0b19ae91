"""Writes files and links whole or not at all, also when the machine loses its power.

The commands that run on the user's computer write their files with it too. The local cloud, which knows nothing of the
components, has its own in `localcloud.files`.
"""

import json
import os
from contextlib import suppress
from pathlib import Path


def replace_file(file: Path, content: str, mode: int = 0o600) -> None:
    """Give the name to a new file with this content. It is on the disk before it has the name: a reboot may come."""
    _replace(file, content, mode, file.with_name(f".{file.name}.new"))


def replace_shared_file(file: Path, content: str) -> None:
    """The same on a filesystem of several machines, each of which may do so at once, and all of which may read it."""
    _replace(file, content, 0o644, file.with_name(f".{file.name}.{os.uname().nodename}-{os.getpid()}"))


def _replace(file: Path, content: str, mode: int, draft: Path) -> None:
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as stream:
            # A draft that a killed program left may have another mode.
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError:
        # On a full disk a part of a file would take what room there is.
        with suppress(OSError):
            draft.unlink()
        raise


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
