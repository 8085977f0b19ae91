"""The rooms of the code: the table of docs/architecture.md, which is the one place where the layers are told."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.architecture.imports import FILES, FOLDERS

ROOT = Path(__file__).parents[2]
PAGE = "docs/architecture.md"
HEAD = "| room | what it holds | may import | packages |"
EVERYTHING = "everything"
COMPONENTS = "components"


class TableError(Exception):
    """The table cannot be read; the text is one line."""


@dataclass(frozen=True)
class Room:
    """A folder or a file, with all below it that is no room of its own."""

    path: str
    """In the repository, without a slash at the end."""
    holds: str
    may_import: tuple[str, ...]
    """Paths, of folders or files; each stands for all below it. `everything` for all that there is."""
    packages: frozenset[str]
    """What others wrote and the standard library does not have. `everything` for whatever there is."""

    def may_use(self, path: str) -> bool:
        """Whether a file of this room may import what is in the file at `path`."""
        return EVERYTHING in self.may_import or any(is_below(path, allowed) for allowed in self.may_import)

    def may_load(self, package: str) -> bool:
        """Whether a file of this room may import a package of others."""
        return EVERYTHING in self.packages or package in self.packages


class House:
    """All rooms, as the table has them: from the lowest on."""

    def __init__(self, page: str) -> None:
        self.rooms = list(_rooms(page))

    def room_of(self, path: str) -> Room | None:
        """The smallest room that holds a file."""
        holding = [room for room in self.rooms if is_below(path, room.path)]
        return max(holding, key=lambda room: len(room.path), default=None)


def read_house(root: Path = ROOT) -> House:
    """The rooms as the page of the repository at `root` tells them."""
    return House((root / PAGE).read_text())


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder, a file of it, or a module, which is named without its suffix."""
    return path.startswith(f"{folder}/") or path in {folder, f"{folder}.py"}


def _rooms(page: str) -> Iterator[Room]:
    lines = page.splitlines()
    if lines.count(HEAD) != 1:
        raise TableError(f"{PAGE}: the table of the rooms, which begins with `{HEAD}`, has to be there once")
    for line in lines[lines.index(HEAD) + 2 :]:
        if not line.startswith("|"):
            return
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != HEAD.count("|") - 1:
            raise TableError(f"{PAGE}: a row of another form than the table's: {line}")
        room, holds, may_import, packages = cells
        yield Room(_path(room), holds, tuple(map(_full, _words(may_import))), frozenset(_words(packages)))


def _words(cell: str) -> list[str]:
    return [EVERYTHING] if cell == EVERYTHING else [word.strip("/") for word in re.findall(r"`([^`]+)`", cell)]


def _path(cell: str) -> str:
    words = _words(cell)
    if len(words) != 1:
        raise TableError(f"{PAGE}: a row without the one path of a room: {cell}")
    return words[0]


def _full(name: str) -> str:
    """Names of rooms in `components` go without it."""
    is_full = name == EVERYTHING or name.partition("/")[0] in {*FOLDERS, *FILES}
    return name if is_full else f"{COMPONENTS}/{name}"
