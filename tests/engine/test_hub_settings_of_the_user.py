"""What a user has set for huggingface_hub does not count here: the library reads it when a process loads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.text.user_agent import USER_AGENT
from tests.support.models.small_hub import MODEL, small_hub
from tests.support.pulumi_cli import REPOSITORY


@pytest.mark.parametrize("own", [{}, {"HF_HUB_OFFLINE": "1", "HF_DEBUG": "1", "HF_TOKEN": "hf_of_the_user"}])
def test_nothing_of_the_users_own_hub_settings_is_used_and_nothing_is_kept(tmp_path: Path, own: dict[str, str]) -> None:
    """By itself the library asks on its own account once."""
    (tmp_path / "token").write_text("hf_of_the_user")
    homes = dict.fromkeys(("HOME", "HF_HOME", "XDG_CACHE_HOME"), str(tmp_path))
    with small_hub() as hub, small_hub() as other:
        command = f"from components.model.hub.client import Hub; Hub({hub.url!r}, '').resolve({MODEL!r}, 'main')"
        done = subprocess.run(
            [sys.executable, "-c", command],
            env={**os.environ, **own, **homes, "HF_ENDPOINT": other.url, "SSL_CERT_FILE": str(tmp_path / "no.pem")},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert other.requests == []
    assert {headers["User-Agent"] for _, headers in hub.requests} == {USER_AGENT}
    assert not any("Authorization" in headers for _, headers in hub.requests)
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_question_loads_of_the_library_its_connection_and_none_of_its_services() -> None:
    with small_hub() as hub:
        resolved = f"from components.model.hub.client import Hub; Hub({hub.url!r}, '').resolve({MODEL!r}, 'main')"
        command = f"{resolved}; import sys; print('httpx2' in sys.modules, 'huggingface_hub.hf_api' in sys.modules)"
        words = [sys.executable, "-c", command]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
