"""The stack of `make local` is found by the file that it writes for a shell."""

import os
import subprocess
from pathlib import Path

import pytest

from ops import stack
from ops.stack import exports
from scripts.local import environment
from scripts.local.cloud import CloudStatus

CLOUD = CloudStatus(
    url="http://127.0.0.1:8600", api_key="it's a key", hf_token="hf $x", pid=1, ssh_port=2222, instances=[]
)


def test_ops_reads_what_make_local_writes_as_a_shell_does(tmp_path: Path) -> None:
    (file := tmp_path / "env").write_text(environment.shell_text(CLOUD))
    here = {"PATH": "/bin:/usr/bin", "LANG": "C"}
    sourced = subprocess.run(
        ["/bin/sh", "-c", f". {file} && exec env"], env=here, capture_output=True, text=True, check=True
    ).stdout
    found = here | exports(file.read_text(), here)
    assert found["PATH"].endswith(":/bin:/usr/bin")
    assert set(sourced.splitlines()) - {f"PWD={Path.cwd()}"} >= {f"{name}={value}" for name, value in found.items()}


def test_an_empty_file_changes_nothing_and_none_is_no_local_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    assert stack._local_environment(tmp_path) is None
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/env").touch()
    assert stack._local_environment(tmp_path) == dict(os.environ)
    assert stack._local_environment(tmp_path.parent) is None
