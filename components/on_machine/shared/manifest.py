"""What is on this machine: `~/.local/share/lambda-vllm/manifest.json`, one section for each thing that was done.

The key of a section is all that the thing depends on, so that a changed pin redoes what depends on it and nothing else.
"""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from components.on_machine.shared.files import replace_file
from components.on_machine.shared.locks import locked

Section = dict[str, Any]
Manifest = dict[str, Section]


def read(file: Path) -> Manifest:
    """All sections; none when the file is missing, or was damaged: then all is done again, which is never wrong."""
    try:
        written = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(written, dict):
        return {}
    return {name: section for name, section in written.items() if isinstance(section, dict)}


def is_recorded(file: Path, section: str, key: str) -> bool:
    """True when the section was recorded with this very key."""
    return read(file).get(section, {}).get("key") == key


def record(file: Path, section: str, key: str, values: Section) -> None:
    """Write a section anew; the others stay."""
    time = datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10 has no datetime.UTC
    with locked(file.with_suffix(".lock")):
        _write(file, {**read(file), section: {"key": key, "time": time, **values}})


def forget(file: Path, section: str) -> None:
    """Take a section out; fine when there is none."""
    with locked(file.with_suffix(".lock")):
        manifest = read(file)
        if manifest.pop(section, None) is not None:
            _write(file, manifest)


def _write(file: Path, manifest: Manifest) -> None:
    replace_file(file, json.dumps(manifest, indent=2) + "\n")
