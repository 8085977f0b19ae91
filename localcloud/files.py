"""Writes files whole or not at all. The local cloud knows nothing of the components, so that it has its own of this."""

import os
from pathlib import Path


def replace_file(file: Path, text: str, mode: int = 0o600) -> None:
    """Give the name to a new file with this text and this mode, which has it from the first byte on."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        # Whatever the umask of this process is.
        os.fchmod(stream.fileno(), mode)
        stream.write(text)
    draft.replace(file)
