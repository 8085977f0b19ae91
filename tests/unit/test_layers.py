"""The layers of the code are those of the table in docs/architecture.md."""

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import replace

import pytest

from components.vllm.programs import PROGRAMS
from scripts.architecture.imports import Code, Import
from scripts.architecture.rooms import EVERYTHING, ROOT, Room, is_below, read_house

HOUSE = read_house()
CODE = Code(ROOT)
ON_MACHINE = "components/on_machine"
SAME_NAME = "PACKAGE"
"""In the table: the package of the machine that imports."""
LAMBDA_CLOUD = "components/lambda_cloud"
BASE, LAMBDA_BASE = "DynamicProvider", "LambdaProvider"


def forbidden(path: str, imports: Iterable[Import]) -> list[str]:
    """A line for each import of a file that the table does not allow."""
    room = HOUSE.room_of(path)
    assert room, f"{path} is in no room of the table"
    return [said for one in imports if (said := _against(_seen_from(path, room), one))]


def _seen_from(path: str, room: Room) -> Room:
    package = path.removeprefix(f"{ON_MACHINE}/").partition("/")[0]
    return replace(room, may_import=tuple(one.replace(SAME_NAME, package) for one in room.may_import))


def _against(room: Room, one: Import) -> str:
    where = f"{one.path}:{one.line}: {room.path} may not import"
    if not one.target:
        is_standard = one.package in sys.stdlib_module_names
        return "" if is_standard or room.may_load(one.package) else f"{where} the package {one.package}"
    target = HOUSE.room_of(one.target)
    return "" if target and (target.path == room.path or room.may_use(one.target)) else f"{where} {one.name}"


def test_every_module_is_in_a_room_and_no_room_is_empty() -> None:
    held = {path: HOUSE.room_of(path) for path in CODE.texts}
    assert [path for path, room in held.items() if room is None] == []
    inhabited = {room.path for room in held.values() if room}
    assert [room.path for room in HOUSE.rooms if room.path not in inhabited] == []


def test_no_module_imports_what_its_room_may_not() -> None:
    found = (line for path in CODE.texts for line in forbidden(path, CODE.imports(path)))
    assert "\n".join(found) == ""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("components/dynamic/clock.py", "from components.lambda_cloud.api import client"),
        ("components/lambda_cloud/api/client.py", "import pulumi"),
        ("components/lambda_cloud/api/client.py", "from components.lambda_cloud.instance import launch"),
        ("components/lambda_cloud/instance/launch.py", "from components.machine.host import Host"),
        ("components/machine/host.py", "from components.vllm.release import flags"),
        ("components/model/hub/client.py", "from components.lambda_cloud.api.models import Offer"),
        ("components/on_machine/jobs/job.py", "import pydantic"),
        ("components/on_machine/weights/hub.py", "from components.vllm.release.flags import values"),
        ("components/settings/read.py", "from components import tls"),
        ("components/settings/read.py", "def late():\n    from components.dynamic.provider import Created"),
        ("components/vllm/release/install/versions.py", "from components.text.counted import counted"),
        ("localcloud/server.py", "from components.text.counted import counted"),
        ("localcloud/server.py", "import grpc"),
        ("ops/chat.py", "from localcloud.server import serve"),
        ("ops/chat.py", "from scripts import flags"),
        ("scripts/command_plugin/lines.py", "from components import text"),
    ],
)
def test_a_forbidden_import_is_one_line_with_its_place(path: str, line: str) -> None:
    [said] = forbidden(path, CODE.imports_of(path, line))
    assert re.fullmatch(rf"{path}:[12]: \S+ may not import .*", said)


def test_what_the_table_allows_is_borne() -> None:
    text = (
        "import json\nimport pulumi\nfrom components.lambda_cloud.api.client import LambdaClient\nfrom . import launch"
    )
    path = "components/lambda_cloud/instance/launch.py"
    assert forbidden(path, CODE.imports_of(path, text)) == []


def test_rooms_import_only_from_rooms_above_them_in_the_table() -> None:
    order = [room.path for room in HOUSE.rooms]
    upwards = [
        f"{room.path} is above {target}"
        for place, room in enumerate(HOUSE.rooms)
        for target in room.may_import
        if target != EVERYTHING
        and not any(is_below(target, above) or is_below(above, target) for above in order[:place])
    ]
    assert "\n".join(upwards) == ""


def test_rooms_without_pulumi_do_not_reach_it_through_others_either() -> None:
    reaching = CODE.reaching("pulumi")
    assert reaching["components/endpoint.py"] == "components/endpoint.py"
    assert any(path != on_the_way for path, on_the_way in reaching.items())
    found = (
        f"{path} imports {on_the_way}, which reaches pulumi"
        for path, on_the_way in reaching.items()
        if (room := HOUSE.room_of(path)) and not room.may_load("pulumi")
    )
    assert "\n".join(found) == ""


def test_what_goes_to_the_machine_imports_only_what_goes_there() -> None:
    programs = [path for path in PROGRAMS.files if path.endswith(".py") and path != "components/__init__.py"]
    assert f"{ON_MACHINE}/jobs/job.py" in programs
    found = (
        f"{one.path}:{one.line}: {one.name} does not go to the machine"
        for path in programs
        for one in CODE.imports(path)
        if one.target and one.target not in PROGRAMS.files
    )
    assert "\n".join(found) == ""


def bases_of(path: str, name: str) -> set[str]:
    """Names of all classes that a class of this repository descends from, as the text has it."""
    tree = ast.parse(CODE.texts[path])
    imported = {one.name.rpartition(".")[2]: one.target for one in CODE.imports(path)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == name:
            for base in node.bases:
                plain = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)
                found |= {plain, *bases_of(imported.get(plain) or path, plain)} if plain != name else set()
    return found


def providers() -> dict[str, str]:
    """Classes that make resources, by the names under which Pulumi's state knows them."""
    named = [
        node.args[0].value
        for text in CODE.texts.values()
        if "LazyProvider(" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "LazyProvider"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    places = {str(name): CODE.file_of(str(name).partition(":")[0]) for name in named}
    return {name: path for name, path in places.items() if is_below(path, "components")}


def test_providers_are_lambdas_in_its_own_room_and_nowhere_else() -> None:
    found = {name: (path, bases_of(path, name.partition(":")[2])) for name, path in providers().items()}
    assert len(found) > 12
    assert [name for name, (_, bases) in found.items() if BASE not in bases] == []
    lambdas = {name for name, (_, bases) in found.items() if LAMBDA_BASE in bases}
    assert lambdas == {name for name, (path, _) in found.items() if is_below(path, LAMBDA_CLOUD)}
