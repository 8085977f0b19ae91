"""Makes the fixture of the upgrade test, of this version: python -m tests.support.upgrade_fixture FOLDER

It brings up a small endpoint in a local cloud of its own, keeps its state, its account and its machine in FOLDER, and
takes the stack away again. It takes about half a minute, and needs what the tests need (`make tools`).
"""

import argparse
import sys
import tempfile
from pathlib import Path

if not __package__:
    sys.exit(
        "upgrade_fixture: start it as `python -m tests.support.upgrade_fixture`, in the folder that holds scripts/"
    )

from components.text.version import VERSION
from tests.support.kept_stack import keep
from tests.support.local_cloud import local_cloud
from tests.support.pulumi_project import project
from tests.support.small_endpoint import use_small_endpoint

README = """\
# A stack of {version}

The state (`state.json`), the account of the local cloud (`account.sql`) and the disk of the machine of a small endpoint
that version {version} has brought up, for `tests/engine/test_upgrade.py`. Words such as `@CLOUD@` stand for places of
the computer on which it is laid out. Its keys and tokens open nothing: what they were for is gone.

Made by `python -m tests.support.upgrade_fixture` and never changed: [docs/upgrades.md](../../../../docs/upgrades.md).
"""


def main(arguments: list[str]) -> int:
    """0 when the fixture is there, 1 when there was one."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.upgrade_fixture", description=f"Keeps a stack of {VERSION}."
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help=f"tests/support/fixtures/upgrade-{VERSION}")
    folder: Path = parser.parse_args(arguments).folder
    if folder.exists():
        print(f"upgrade_fixture: {folder} is there: a version that was given out is kept as it was", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as place,
        local_cloud(Path(place) / "cloud") as cloud,
        project(Path(place), cloud) as made,
    ):
        use_small_endpoint(made, cloud)
        made.up()
        keep(made, cloud, folder)
    (folder / "README.md").write_text(README.format(version=VERSION))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
