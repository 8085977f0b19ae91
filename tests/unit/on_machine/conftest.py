"""A guarded application and its file of keys."""

from pathlib import Path

import pytest

from components.on_machine.service.guard import KEYS_VARIABLE
from tests.support.guarded_server import KEY, Server


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "api-keys"
    file.write_text(KEY + "\n")
    monkeypatch.setenv(KEYS_VARIABLE, str(file))
    return file


@pytest.fixture
def server(keys: Path) -> Server:
    return Server()
