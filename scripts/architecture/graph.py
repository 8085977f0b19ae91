"""Which rooms import which, and the layers that follow from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scripts.architecture.imports import Code
from scripts.architecture.rooms import EVERYTHING, House

NOT_DRAWN = {"entry_point.py", "components/__init__.py"}
"""What all commands begin with is no layer."""

Edge = tuple[str, str]


@dataclass(frozen=True)
class Size:
    """How much is in a room."""

    modules: int
    lines: int


def sizes(house: House, code: Code) -> dict[str, Size]:
    """Of all rooms that are drawn, in the order of the table."""
    texts: dict[str, list[str]] = {room.path: [] for room in house.rooms if room.path not in NOT_DRAWN}
    for path, text in code.texts.items():
        if (room := house.room_of(path)) and room.path in texts:
            texts[room.path].append(text)
    return {room: Size(len(all_), sum(text.count("\n") for text in all_)) for room, all_ in texts.items()}


def edges(house: House, code: Code) -> set[Edge]:
    """Pairs of rooms, the first of which imports the second. Those that may import everything have none."""
    free = {room.path for room in house.rooms if EVERYTHING in room.may_import}
    found = set()
    for path in code.texts:
        room = house.room_of(path)
        targets = {house.room_of(one.target) for one in code.imports(path) if one.target}
        found |= {(room.path, target.path) for target in targets if room and target and target != room}
    return {edge for edge in found if edge[0] not in free and not NOT_DRAWN & {*edge}}


def without_those_that_follow(given: Iterable[Edge]) -> set[Edge]:
    """Without the edges beside which there is a longer way."""
    below = _below(given)
    return {(one, other) for one, other in given if not any(other in below[via] for via in below[one] - {other})}


def levels(rooms: Iterable[str], given: Iterable[Edge]) -> dict[str, int]:
    """How high a room is: 0 for one that imports no other, else one more than the highest that it imports."""
    below = _below(given)
    found: dict[str, int] = {}

    def level(room: str) -> int:
        if room not in found:
            found[room] = 1 + max((level(other) for other in below.get(room, ())), default=-1)
        return found[room]

    return {room: level(room) for room in rooms}


def _below(given: Iterable[Edge]) -> Mapping[str, set[str]]:
    """All that a room imports, directly or through others."""
    direct: dict[str, set[str]] = {}
    for one, other in given:
        direct.setdefault(one, set()).add(other)
        direct.setdefault(other, set())
    found: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in found:
            found[room] = set().union(*({other, *reach(other)} for other in direct[room]))
        return found[room]

    return {room: reach(room) for room in direct}
