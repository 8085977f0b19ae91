"""An emulated cloud for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.emulated import EmulatedCloud, emulated_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedCloud]:
    with emulated_cloud(Path(tmp_path_factory.mktemp("cloud"))) as running:
        yield running
