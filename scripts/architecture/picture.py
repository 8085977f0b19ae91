"""docs/architecture.svg: the rooms in layers, and who imports whom."""

from collections.abc import Iterator, Mapping
from html import escape
from textwrap import wrap

from components.text.counted import counted
from components.vllm.programs import PROGRAMS
from scripts.architecture.graph import Edge, Size, edges, levels, sizes, without_those_that_follow
from scripts.architecture.imports import Code
from scripts.architecture.layout import Layout, Point, laid_out
from scripts.architecture.rooms import COMPONENTS, EVERYTHING, PAGE, House, Room, TableError

WIDTH = 900
BOX_WIDTH, BOX_HEIGHT, LAYER, MARGIN, TOP = 188, 74, 116, 12, 76
LETTERS, LINES = 28, 2
"""What a room has place for."""
PORTS = 76
"""Along how much of a room's side arrows begin and end; the corner beside them is the tag's."""
STYLE = """
  .paper { fill: #ffffff } text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .name { font-weight: 600; font-size: 13px } .size, .note { fill: #59636e; font-size: 11px }
  rect.room { stroke-width: 1.2; fill: #eaf2fd; stroke: #4a7fc1 } rect.outside { fill: #f3f4f6; stroke: #818b98 }
  rect.sent { fill: #e3f5e6; stroke: #3c9350 } rect.pulumi { fill: #7d5bc4 } .tag { fill: #ffffff; font-size: 10px }
  .arrow { fill: none; stroke: #818b98; stroke-width: 1.3 } .head { fill: #818b98 }
  .frame { fill: none; stroke: #b6bdc6; stroke-dasharray: 4 4 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } text { fill: #e6edf3 } .size, .note { fill: #9ba5b0 }
    rect.room { fill: #14253b; stroke: #5b93dc } rect.outside { fill: #1b2129; stroke: #7d8793 }
    rect.sent { fill: #12291a; stroke: #4cab62 } rect.pulumi { fill: #8b6bd6 } .tag { fill: #ffffff }
    .arrow { stroke: #7d8793 } .head { fill: #7d8793 } .frame { stroke: #4a525c }
  }
"""


def picture(house: House, code: Code) -> str:
    """The whole file. The same code gives the same text."""
    size = sizes(house, code)
    found = edges(house, code)
    shown = sorted(without_those_that_follow(found))
    joined = {room for edge in shown for room in edge}
    level = {room: one for room, one in levels(size, found).items() if room in joined}
    layout = laid_out(level, shown, (WIDTH - 2 * MARGIN) / BOX_WIDTH)
    bottom = TOP + max(level.values()) * LAYER + BOX_HEIGHT
    height = bottom + 150
    rooms = {room.path: room for room in house.rooms}
    boxes = {room: (_x((room,), layout), _y(level[room], level)) for room in level}
    alone = [room for room in size if room not in joined]
    inner = WIDTH - 2 * MARGIN - 8
    boxes |= {
        room: (MARGIN + 4 + inner * (2 * place + 1) / (2 * len(alone)), bottom + 50) for place, room in enumerate(alone)
    }
    sent = _sent(house)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="The rooms of the code and their imports">\n<style>{STYLE}</style>\n'
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>\n',
        *_legend(),
        *(_arrow(edge, layout, level, shown) for edge in shown),
        *(_box(rooms[room], _kind(room, sent), size[room], *boxes[room]) for room in size),
        f'<rect class="frame" x="{MARGIN}" y="{bottom + 22}" width="{WIDTH - 2 * MARGIN}" height="118" rx="8"/>\n',
        _text(WIDTH / 2, bottom + 39, "note", _beside(rooms, alone)),
        "</svg>\n",
    ]
    return "".join(parts)


def _sent(house: House) -> set[str]:
    """Rooms of what goes to the machine. The packages around it are empty there."""
    return {room.path for path, text in PROGRAMS.files.items() if text and (room := house.room_of(path))}


def _kind(room: str, sent: set[str]) -> str:
    return "room sent" if room in sent else "room" if room.startswith(COMPONENTS) else "room outside"


def _beside(rooms: Mapping[str, Room], alone: list[str]) -> str:
    free = " and ".join(room for room in alone if EVERYTHING in rooms[room].may_import)
    return f"Beside the layers: what imports none of them; {free} may import everything"


def _legend() -> Iterator[str]:
    notes = {"room": "components", "room sent": "goes to the machine", "room outside": "the rest"}
    for place, (kind, text) in enumerate(notes.items()):
        x = MARGIN + 10 + 170 * place
        yield f'<rect class="{kind}" x="{x}" y="14" width="22" height="14" rx="3"/>\n'
        yield _text(x + 30, 25, "note", text, "start")
    yield _tag(MARGIN + 541, 21)
    yield _text(MARGIN + 570, 25, "note", "imports Pulumi", "start")
    yield _text(
        MARGIN + 10,
        48,
        "note",
        "An arrow leads to what is imported. One that follows from others is left out.",
        "start",
    )


def _box(room: Room, kind: str, size: Size, middle: float, top: float) -> str:
    inside = room.path.removeprefix(f"{COMPONENTS}/")
    holds = wrap(room.holds.partition(":")[0], LETTERS)
    if len(holds) > LINES:
        raise TableError(f"{PAGE}: what {room.path} holds, up to the colon, is too long for the picture")
    lines = [
        _text(middle, top + 19, "name", inside),
        *(_text(middle, top + 35 + 14 * number, "what", line) for number, line in enumerate(holds)),
        _text(middle, top + BOX_HEIGHT - 8, "size", _told(size)),
    ]
    tag = _tag(middle + BOX_WIDTH / 2 - 26, top) if room.may_load("pulumi") and EVERYTHING not in room.packages else ""
    left = middle - BOX_WIDTH / 2
    rect = f'<rect class="{kind}" x="{left:.0f}" y="{top:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>\n'
    return rect + "".join(lines) + tag


def _told(size: Size) -> str:
    """Lines in hundreds, so that not every change of the code is one of the picture."""
    rounded = round(size.lines / 100) * 100
    return f"{counted(size.modules, 'module')}, {counted(rounded, 'line') if rounded else 'a few lines'}"


def _arrow(edge: Edge, layout: Layout, level: Mapping[str, int], shown: list[Edge]) -> str:
    way = layout.ways[edge]
    heights = [level[edge[0]] - number for number in range(len(way))]
    points = [(_x(point, layout), _y(one, level)) for point, one in zip(way, heights, strict=True)]
    x, y = points[0][0] + _port(edge, 0, layout, shown), points[0][1] + BOX_HEIGHT
    path = [f"M{x:.0f} {y:.0f}"]
    for number, (next_x, next_y) in enumerate(points[1:], 1):
        is_last = number == len(points) - 1
        end_x = next_x + (_port(edge, 1, layout, shown) if is_last else 0)
        end_y = next_y - 7 if is_last else next_y
        half = (end_y - y) / 2
        path.append(f"C{x:.0f} {y + half:.0f} {end_x:.0f} {end_y - half:.0f} {end_x:.0f} {end_y:.0f}")
        x, y = end_x, end_y
        if not is_last:
            y += BOX_HEIGHT
            path.append(f"V{y:.0f}")
    head = f"M{x - 4:.0f} {y - 1:.0f}h8l-4 8z"
    return f'<path class="arrow" d="{"".join(path)}"/><path class="head" d="{head}"/>\n'


def _port(edge: Edge, end: int, layout: Layout, shown: list[Edge]) -> float:
    """How far from a room's middle an arrow begins, or ends: side by side with the others, in their order."""
    same = [other for other in shown if other[end] == edge[end]]
    next_to_it = {other: layout.ways[other][1 if end == 0 else -2] for other in same}
    same.sort(key=lambda other: layout.places[next_to_it[other]])
    step = min(34.0, PORTS / max(1, len(same) - 1))
    return (same.index(edge) - (len(same) - 1) / 2) * step


def _x(point: Point, layout: Layout) -> float:
    return MARGIN + layout.places[point] * BOX_WIDTH


def _y(level: int, all_: Mapping[str, int]) -> float:
    return TOP + (max(all_.values()) - level) * LAYER


def _tag(middle: float, top: float) -> str:
    rect = f'<rect class="pulumi" x="{middle - 21:.0f}" y="{top - 7:.0f}" width="42" height="14" rx="7"/>'
    return rect + _text(middle, top + 4, "tag", "Pulumi")


def _text(x: float, y: float, kind: str, text: str, anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>\n'
