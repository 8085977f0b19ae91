"""A small hub, at which nobody waits before asking again: see `ask` of tests.support.models.hub_answers."""

from collections.abc import Iterator

import pytest

from tests.support.models.small_hub import SmallHub, small_hub


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    with small_hub() as running:
        yield running
