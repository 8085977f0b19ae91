"""The stack of `make local` is found by the file that it writes for a shell."""

import os
from pathlib import Path

import pytest

from ops import stack


def test_an_empty_file_changes_nothing_and_none_is_no_local_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    assert stack._local_environment(tmp_path) is None
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/env").touch()
    assert stack._local_environment(tmp_path) == dict(os.environ)
    assert stack._local_environment(tmp_path.parent) is None
