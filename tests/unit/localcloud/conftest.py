"""An account for each test."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud_api.account import Account, open_account
from tests.support.jumping_clock import no_sleep


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is handed in; nothing here waits for this computer's."""
    monkeypatch.setattr(time, "sleep", no_sleep)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A new account in which nothing takes time."""
    with open_account(tmp_path) as account:
        yield account
