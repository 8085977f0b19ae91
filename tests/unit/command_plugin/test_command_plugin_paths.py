"""Where `remotePath` puts a file, a directory and a text."""

import pytest

from scripts.command_plugin.errors import RemoteError
from scripts.command_plugin.upload import Remote, directory_targets, file_target, text_target


@pytest.mark.parametrize(
    ("remote", "target"), [(Remote.MISSING, "to"), (Remote.FILE, "to"), (Remote.DIRECTORY, "to/name.sh")]
)
def test_file_keeps_its_name_only_in_an_existing_directory(remote: Remote, target: str) -> None:
    assert file_target("from/name.sh", "to", remote) == target


@pytest.mark.parametrize("remote", [Remote.MISSING, Remote.DIRECTORY])
def test_directory_goes_under_its_own_name_and_with_a_slash_only_its_content_goes(remote: Remote) -> None:
    assert directory_targets("from/tree", "/to", remote) == ["/to", "/to/tree"]
    assert directory_targets("from/tree/", "/to", remote) == ["/to"]


@pytest.mark.parametrize("source", ["tree", "tree/"])
def test_directory_does_not_replace_a_file(source: str) -> None:
    with pytest.raises(RemoteError, match="remote path to exists but is not a directory"):
        directory_targets(source, "to", Remote.FILE)


def test_text_has_no_name_to_go_into_a_directory_with() -> None:
    assert text_target("to", Remote.MISSING) == text_target("to", Remote.FILE) == "to"
    with pytest.raises(RemoteError, match="to is a directory; when using a text asset, remotePath must be a file path"):
        text_target("to", Remote.DIRECTORY)
