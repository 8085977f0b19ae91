"""Which tests stay together when they are handed out to several processes."""

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, Scheduling


class StackScheduling(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Keeps a file's tests in one process and in order, and those of a folder of `e2e`, which share one stack."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(super()._split_scope(nodeid))
        shares_a_stack = file.parts[:2] == ("tests", "e2e") and len(file.parts) > 3
        return str(file.parent if shares_a_stack else file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """In the place of `--dist loadfile`. Groups by mark (`loadgroup`) are lost with pytest 9.2 and pytest-xdist 3.8."""
    return StackScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
