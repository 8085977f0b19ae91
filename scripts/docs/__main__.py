"""Writes what users read of the settings: python -m scripts.docs [--check]

With `--check` nothing is written: it ends with 1 where a file is not what it would be.
"""

import argparse
import sys
from pathlib import Path

if not __package__:
    sys.exit("docs: start it as `python -m scripts.docs`, in the folder that holds scripts/")

from scripts.docs.place import PlaceError
from scripts.docs.schema import with_schema
from scripts.docs.table import with_table

ROOT = Path(__file__).parents[2]
WRITERS = {"Pulumi.yaml": with_schema, "README.md": with_table}
"""What each file becomes, from what it is."""


def outdated(root: Path) -> dict[str, str]:
    """Text that each file should have, of those that have another one. `PlaceError` where there is no place for it."""
    texts = {name: (root / name).read_text() for name in WRITERS}
    return {name: new for name, write in WRITERS.items() if (new := write(texts[name])) != texts[name]}


def main(arguments: list[str], root: Path = ROOT) -> int:
    """0 when all is written, 1 when it is not, or when there is no place for it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.docs", description="Writes what is read of the settings.")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail when there is something to write")
    options = parser.parse_args(arguments)
    try:
        texts = outdated(root)
    except PlaceError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    if texts and options.check:
        print(f"docs: {' and '.join(texts)}: not what the settings say, run `make docs`", file=sys.stderr)
        return 1
    for name, text in texts.items():
        (root / name).write_text(text)
        print(f"{name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
