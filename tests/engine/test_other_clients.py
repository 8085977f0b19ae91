"""A client that others wrote for the real service works with another base URL and key alone.

It is `lambda-ai-cloud-api-client`, a command line over code that was generated from Lambda's document of version 1.8.3:
an answer that is not as it was there, or a field of another type, is an error in it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulated import PUBLIC_KEY
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.polling import until

PROGRAM = Path(sys.executable).with_name("lai")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud without machines, with a key and a filesystem, which the client cannot make."""
    with local_cloud(tmp_path_factory.mktemp("cloud") / "state", machines="none") as cloud:
        cloud.api("POST", "/ssh-keys", {"name": "theirs", "public_key": PUBLIC_KEY})
        cloud.api("POST", "/filesystems", {"name": "weights", "region": "us-east-3"})
        yield cloud


def _run(cloud: LocalCloud, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # It breaks lines at the width of the terminal, JSON too.
    settings = {"LAMBDA_CLOUD_BASE_URL": cloud.url, "LAMBDA_CLOUD_TOKEN": cloud.api_key, "COLUMNS": "100000"}
    return subprocess.run(
        [PROGRAM, *arguments], env=os.environ | settings, capture_output=True, text=True, timeout=120, check=False
    )


def _json(cloud: LocalCloud, *arguments: str) -> Any:
    done = _run(cloud, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def _until_status(cloud: LocalCloud, name: str, statuses: set[str]) -> None:
    def found() -> set[str]:
        return {one["status"] for one in _json(cloud, "ls") if one["name"] == name} or {"gone"}

    until(lambda: found() <= statuses, every=0.2, why=found)


def test_it_reads_the_catalogue_and_the_keys(cloud: LocalCloud) -> None:
    assert "gpu_1x_gh200" in json.dumps(_json(cloud, "types"))
    assert "lambda-stack-24-04" in json.dumps(_json(cloud, "images"))
    assert [one["name"] for one in _json(cloud, "keys")] == ["theirs"]


def test_an_instance_is_launched_renamed_restarted_and_ended_with_it(cloud: LocalCloud, tmp_path: Path) -> None:
    user_data = tmp_path / "user-data"
    user_data.write_text("#cloud-config\n{}\n")
    options = {
        "--instance-type": "gpu_1x_gh200",
        "--region": "us-east-3",
        "--ssh-key": "theirs",
        "--filesystem": "weights",
        "--tag": "made-by=others",
        "--name": "first",
        "--user-data-file": str(user_data),
    }
    started = _run(cloud, "start", *(part for option in options.items() for part in option))
    assert started.returncode == 0, started.stdout + started.stderr
    _until_status(cloud, "first", {"active"})
    (instance,) = _json(cloud, "ls")
    assert instance["file_system_names"] == ["weights"]
    for command in (("rename", instance["id"], "second"), ("restart", instance["id"])):
        done = _run(cloud, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    _until_status(cloud, "second", {"active"})
    assert _run(cloud, "stop", instance["id"]).returncode == 0
    _until_status(cloud, "second", {"terminated", "gone"})
    assert cloud.billing() == []


def test_a_refusal_is_understood(cloud: LocalCloud) -> None:
    refused = _run(cloud, "start", "--instance-type", "gpu_1x_gh200", "--region", "us-east-3", "--ssh-key", "nobody")
    assert refused.returncode != 0
    assert "does not exist" in refused.stdout + refused.stderr
