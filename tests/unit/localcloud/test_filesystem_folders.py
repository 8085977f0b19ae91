"""What is in the account's filesystems, on this computer."""

import os
from pathlib import Path
from typing import Any

from tests.support.cloud_api.account import Account, open_account


def made(account: Account, name: str) -> Any:
    return account.post("/filesystems", {"name": name, "region": "us-east-3"}).data


def folders(state: Path) -> set[str]:
    return {folder.name for folder in (state / "filesystems").iterdir()}


def test_a_filesystem_is_a_folder_for_as_long_as_the_account_has_it(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        kept, deleted = (made(account, name)["id"] for name in ("kept", "deleted"))
        (tmp_path / "filesystems" / kept / "file").write_text("there")
        (tmp_path / "filesystems" / deleted / "deep" / "er").mkdir(parents=True)
        account.call("DELETE", f"/api/v1/filesystems/{deleted}")
        assert folders(tmp_path) == {kept}
    with open_account(tmp_path):
        assert (tmp_path / "filesystems" / kept / "file").read_text() == "there"


def test_what_a_killed_deletion_has_left_goes_at_the_next_start(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        kept = made(account, "kept")["id"]
    left = tmp_path / "filesystems" / ("f" * 32) / "deep"
    left.mkdir(parents=True)
    (left / "file").touch()
    left.chmod(0o500)
    with open_account(tmp_path):
        assert folders(tmp_path) == {kept}


def test_the_size_is_that_of_the_contents_and_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        folder = tmp_path / "filesystems" / made(account, "data")["id"]
        (folder / "one").write_bytes(b"x" * 1000)
        os.link(folder / "one", folder / "two")
        (folder / "deep").mkdir()
        (folder / "deep" / "three").write_bytes(b"x" * 234)
        (folder / "four").symlink_to("/proc/kcore")
        expected = 1234 + len("/proc/kcore")
        assert [one["bytes_used"] for one in account.get("/file-systems").data] == [expected]


def test_a_size_is_believed_for_a_while(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        folder = tmp_path / "filesystems" / made(account, "data")["id"]
        (folder / "file").write_bytes(b"x" * 1000)
        assert [one["bytes_used"] for one in account.get("/file-systems").data] == [0]
