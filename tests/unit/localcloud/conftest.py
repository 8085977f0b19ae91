"""An account for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud_api.account import Account, open_account


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A new account in which nothing takes time."""
    with open_account(tmp_path) as account:
        yield account
