"""What is on this machine: `~/.local/share/lambda-vllm/manifest.json`, one section for each thing that was done.

    manifest.py is SECTION KEY                     exit status 0 when that section was recorded with that key
    manifest.py record SECTION KEY name=value …    writes the section anew, with the time; seconds=N is how long it
                                                   took; a word may also be a JSON object of many values
    manifest.py get SECTION NAME                   one value; nothing when there is none
    manifest.py forget SECTION
    manifest.py show [SECTION]                     as JSON

The key of a section is all that the thing depends on, so that a changed pin redoes what depends on it and nothing else.
Runs with the machine's own Python 3.10 or newer. A value may be JSON; `name=` and `name=''` are the empty text.
"""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FILE = Path("~/.local/share/lambda-vllm/manifest.json")

Section = dict[str, Any]
Manifest = dict[str, Section]


class UsageError(Exception):
    """The command line is not one of ours."""


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
    with _locked(file):
        _write(file, {**read(file), section: {"key": key, "time": time, **values}})


def forget(file: Path, section: str) -> None:
    """Take a section out; fine when there is none."""
    with _locked(file):
        manifest = read(file)
        if manifest.pop(section, None) is not None:
            _write(file, manifest)


def parse_value(text: str) -> Any:
    """JSON where it is JSON; everything else is a text. `1.10` is a text too, as versions are no numbers."""
    if text.isdecimal() or text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def parse_values(words: list[str]) -> Section:
    """Values of a section from words such as `torch=2.13.0`, or from whole JSON objects."""
    values: Section = {}
    for word in words:
        if word.startswith("{"):
            values.update(_parse_object(word))
        elif "=" in word:
            name, text = word.split("=", 1)
            values[name] = parse_value(text)
        else:
            raise UsageError(f"{word} is not name=value")
    return values


def _parse_object(text: str) -> Section:
    try:
        found = json.loads(text)
    except ValueError:
        raise UsageError(f"{text} is not JSON") from None
    return dict(found)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One writer at a time: install and download record beside each other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(file: Path, manifest: Manifest) -> None:
    """Whole or not at all, also when the power goes."""
    new = file.with_suffix(".new")
    with new.open("w") as stream:
        stream.write(json.dumps(manifest, indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


def main(words: list[str]) -> int:
    """Do what the command line says."""
    file = FILE.expanduser()
    match words:
        case ["is", section, key]:
            return 0 if is_recorded(file, section, key) else 1
        case ["record", section, key, *values]:
            record(file, section, key, parse_values(values))
        case ["get", section, name]:
            print(read(file).get(section, {}).get(name, ""))
        case ["forget", section]:
            forget(file, section)
        case ["show"]:
            print(json.dumps(read(file), indent=2))
        case ["show", section]:
            print(json.dumps(read(file).get(section, {})))
        case _:
            raise UsageError(f"not a command: {' '.join(words)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (UsageError, OSError) as error:
        sys.exit(f"error: manifest: {error}")
