"""A small hub, at which nobody waits before asking again."""

from collections.abc import Iterator

import pytest

from components.model.hub import connection
from tests.support.models.small_hub import (
    SmallHub,
    small_hub,
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    monkeypatch.setattr(connection, "RETRY_PAUSES_S", (0.0, 0.0))
    with small_hub() as running:
        yield running
