"""Where the rooms are in the picture: in layers, so that all arrows lead down and few of them cross.

The way of Sugiyama: an arrow over several layers has a point in each of them, points of a layer are ordered by the mean
place of what they are joined with, and then drawn towards it as far as their neighbours let them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scripts.architecture.graph import Edge

Point = tuple[str, ...]
"""A room, `(room,)`, or what an arrow has in a layer between: `(from, to, layer)`."""
SWEEPS = 24
BOX, BEND = 1.0, 0.16
"""Width of a room and of a passing arrow; in widths of a room, as all places here."""
SPACE = 0.1


@dataclass(frozen=True)
class Layout:
    """Where the middle of everything is, from 0 on, and the way of each arrow from layer to layer."""

    places: Mapping[Point, float]
    ways: Mapping[Edge, tuple[Point, ...]]


def laid_out(levels: Mapping[str, int], edges: Sequence[Edge], width: float) -> Layout:
    """Places between 0 and `width`; `levels` and `edges` in an order that is the same each time."""
    ways = {edge: _way(edge, levels) for edge in edges}
    layers: list[list[Point]] = [[] for _ in range(max(levels.values()) + 1)]
    for room, level in levels.items():
        layers[level].append((room,))
    for way in ways.values():
        for point in way[1:-1]:
            layers[int(point[2])].append(point)
    joined: dict[Point, list[Point]] = {point: [] for layer in layers for point in layer}
    for way in ways.values():
        for upper, lower in pairwise(way):
            joined[upper].append(lower)
            joined[lower].append(upper)
    _order(layers, joined)
    return Layout(_places(layers, joined, width), ways)


def _way(edge: Edge, levels: Mapping[str, int]) -> tuple[Point, ...]:
    upper, lower = edge
    between = [(upper, lower, str(level)) for level in range(levels[upper] - 1, levels[lower], -1)]
    return ((upper,), *between, (lower,))


def _order(layers: list[list[Point]], joined: Mapping[Point, Sequence[Point]]) -> None:
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 else reversed(layers):
            place = {point: (number + 0.5) / len(other) for other in layers for number, point in enumerate(other)}
            means = {point: _mean([place[other] for other in joined[point]], place[point]) for point in layer}
            layer.sort(key=lambda point, means=means: means[point])  # type: ignore[misc]


def _places(
    layers: Sequence[Sequence[Point]], joined: Mapping[Point, Sequence[Point]], width: float
) -> dict[Point, float]:
    places: dict[Point, float] = {}
    for layer in layers:
        places |= _apart(layer, [width * (number + 0.5) / len(layer) for number in range(len(layer))], width)
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 else reversed(layers):
            wanted = [_mean([places[other] for other in joined[point]], places[point]) for point in layer]
            places |= _apart(layer, wanted, width)
    shift = (width - max(places.values()) - min(places.values())) / 2
    return {point: place + shift for point, place in places.items()}


def _apart(layer: Sequence[Point], wanted: Sequence[float], width: float) -> dict[Point, float]:
    """As near to the wanted places as their widths and their order let them."""
    halves = [(BOX if len(point) == 1 else BEND) / 2 for point in layer]
    gaps = [left + right + SPACE for left, right in pairwise(halves)]
    first, last = halves[0], width - halves[-1]
    # The middle of what is pushed from one side and from the other: neither side wins.
    pushed = zip(_pushed_right(wanted, gaps, first), _pushed_left(wanted, gaps, last), strict=True)
    middle = [(left + right) / 2 for left, right in pushed]
    return dict(zip(layer, _pushed_right(_pushed_left(middle, gaps, last), gaps, first), strict=True))


def _pushed_right(wanted: Sequence[float], gaps: Sequence[float], first: float) -> list[float]:
    """No place left of `first`, and none nearer to the one before it than its gap."""
    found = [max(wanted[0], first)]
    for place, gap in zip(wanted[1:], gaps, strict=True):
        found.append(max(place, found[-1] + gap))
    return found


def _pushed_left(wanted: Sequence[float], gaps: Sequence[float], last: float) -> list[float]:
    """The same from the other side."""
    return [-place for place in reversed(_pushed_right([-one for one in reversed(wanted)], gaps[::-1], -last))]


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise
