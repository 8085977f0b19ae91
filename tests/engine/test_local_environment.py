"""The file that `make local` writes is one for a shell, and `ops` reads it as a shell does."""

import subprocess
from pathlib import Path

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
