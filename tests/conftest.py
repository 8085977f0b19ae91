"""In which order tests are handed out to several processes, and which stay together."""

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, Scheduling

FIRST = (
    "tests/e2e",
    *(
        f"tests/engine/test_{name}.py"
        for name in (
            "stack_faults",
            "fault_machines",
            "kills",
            "faults",
            "two_stacks",
            "swap",
            "swap_kills",
            "download",
        )
    ),
)
"""What takes minutes: begun at the end, one process would go on alone with it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes longest come first, and the rest in its order."""

    def rank(item: pytest.Item) -> int:
        return next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))

    items.sort(key=rank)


class StackScheduling(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Keeps a file's tests in one process and in order, and those of a folder of `e2e`, which share one stack."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(super()._split_scope(nodeid))
        shares_a_stack = file.parts[:2] == ("tests", "e2e") and len(file.parts) > 3
        return str(file.parent if shares_a_stack else file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """In the place of `--dist loadfile`. Groups by mark (`loadgroup`) are lost with pytest 9.2 and pytest-xdist 3.8."""
    return StackScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
