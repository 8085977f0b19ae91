"""Draws the rooms of the code and their imports: python -m scripts.architecture [--check]

It writes docs/architecture.svg. With `--check` nothing is written: it ends with 1 where the picture is another one.
"""

import argparse
import sys
from pathlib import Path

if not __package__:
    sys.exit("architecture: start it as `python -m scripts.architecture`, in the folder that holds scripts/")

from scripts.architecture.imports import Code
from scripts.architecture.picture import picture
from scripts.architecture.rooms import ROOT, TableError, read_house

PICTURE = "docs/architecture.svg"


def drawn(root: Path) -> str:
    """What the picture has to be. `TableError` where the page has no table to draw it from."""
    return picture(read_house(root), Code(root))


def main(arguments: list[str], root: Path = ROOT) -> int:
    """0 when the picture is right, 1 when it is not, or cannot be drawn."""
    parser = argparse.ArgumentParser(prog="python -m scripts.architecture", description="Draws the rooms of the code.")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail when there is something to write")
    options = parser.parse_args(arguments)
    try:
        new = drawn(root)
    except TableError as error:
        print(f"architecture: {error}", file=sys.stderr)
        return 1
    file = root / PICTURE
    if file.is_file() and file.read_text() == new:
        return 0
    if options.check:
        print(f"architecture: {PICTURE}: not what the code says, run `make docs`", file=sys.stderr)
        return 1
    file.write_text(new)
    print(f"{PICTURE}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
