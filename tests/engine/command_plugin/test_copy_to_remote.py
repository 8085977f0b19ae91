"""What CopyToRemote puts where, and when again."""

from pathlib import Path

import pytest

from tests.support.command_plugin.ssh_host import SshHost
from tests.support.command_plugin.stack import PulumiError, Stack


def test_file_directory_and_text_are_copied_to_where_1_2_1_puts_them(
    host: SshHost, stack: Stack, tmp_path: Path
) -> None:
    host.listen()
    (tmp_path / "program/script.sh").write_text("echo hi\n")
    tree = tmp_path / "program/tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "top").write_text("top")
    (tree / "deep/leaf").write_text("leaf")
    (host.disk / "existing").mkdir()
    stack.program("""
        def copy(name, source, remote_path):
            remote.CopyToRemote(name, connection=connection, source=source, remote_path=remote_path)
        copy("file", pulumi.FileAsset("script.sh"), "renamed.sh")
        copy("into", pulumi.FileAsset("script.sh"), "existing")
        copy("directory", pulumi.FileArchive("tree"), "whole")
        copy("content", pulumi.FileArchive("tree/"), "content")
        copy("text", pulumi.StringAsset("hello"), "text")
    """)
    stack.up()
    files = {str(path.relative_to(host.disk)): path.read_text() for path in host.disk.rglob("*") if path.is_file()}
    assert files == {
        "renamed.sh": "echo hi\n",
        "existing/script.sh": "echo hi\n",
        "whole/tree/top": "top",
        "whole/tree/deep/leaf": "leaf",
        "content/top": "top",
        "content/deep/leaf": "leaf",
        "text": "hello",
    }


def test_copy_is_repeated_only_for_new_content_or_path_and_stays_after_destroy(host: SshHost, stack: Stack) -> None:
    host.listen()
    program = """
        connection.dial_error_limit = {limit}
        remote.CopyToRemote("one", connection=connection, source=pulumi.StringAsset("{text}"), remote_path="one")
    """
    stack.program(program.format(limit=2, text="a"))
    stack.up()
    (host.disk / "one").unlink()
    stack.program(program.format(limit=3, text="a"))
    assert stack.up().operations == [("one", "update")]
    assert not (host.disk / "one").exists()
    stack.program(program.format(limit=3, text="b"))
    stack.up()
    stack.destroy()
    assert (host.disk / "one").read_text() == "b"


def test_missing_parent_on_the_host_is_an_error_that_names_the_path(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.program("""
        remote.CopyToRemote("one", connection=connection, source=pulumi.StringAsset("a"), remote_path="no/such/one")
    """)
    with pytest.raises(PulumiError, match="failed to write text content to remote path no/such/one"):
        stack.up()
