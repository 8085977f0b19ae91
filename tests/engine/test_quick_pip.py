"""The tests' own pip tells Pulumi what pip tells it."""

import json
import os
import subprocess
import sys

from tests.support.pulumi_cli import QUICK_PIP


def packages(**environment: str) -> dict[str, tuple[str, str]]:
    """Version and folder of each package that Pulumi is told of."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "list", "-v", "--format", "json"],
        # Not the repository, whose folders `-m` would put in front.
        cwd=QUICK_PIP.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return {one["name"]: (one["version"], one["location"].rstrip("/")) for one in json.loads(done.stdout)}


def test_the_list_of_packages_is_that_of_pip() -> None:
    quick = packages(PYTHONPATH=str(QUICK_PIP))
    assert quick == packages(PYTHONPATH="")
    assert "pulumi" in quick
