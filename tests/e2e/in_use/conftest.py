"""The stack of this folder, which serves `MODEL` at first."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Served, small_stack


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The endpoint; whoever changes it leaves it serving."""
    with small_stack(tmp_path_factory.mktemp("in-use")) as (made, cloud):
        yield Served(made, cloud, made.up())
