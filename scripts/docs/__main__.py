"""Writes what users read of the settings: python -m scripts.docs"""

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


def main(root: Path = ROOT) -> int:
    """0 when all is written, 1 when there is no place for it."""
    try:
        texts = outdated(root)
    except PlaceError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    for name, text in texts.items():
        (root / name).write_text(text)
        print(f"{name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
