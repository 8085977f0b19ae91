"""Draws the rooms of the code and their imports into docs/architecture.svg: python -m scripts.architecture"""

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


def main(root: Path = ROOT) -> int:
    """0 when the picture is right, 1 when it cannot be drawn."""
    try:
        new = drawn(root)
    except TableError as error:
        print(f"architecture: {error}", file=sys.stderr)
        return 1
    file = root / PICTURE
    if not file.is_file() or file.read_text() != new:
        file.write_text(new)
        print(f"{PICTURE}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
