"""Which hosts are trusted, and how long they are waited for."""

import socket
import threading

import asyncssh
import pytest

from tests.support.command_plugin.ssh_host import PORT, SshHost
from tests.support.command_plugin.stack import PulumiError, Stack


def test_host_with_another_key_is_refused_and_runs_nothing(host: SshHost, stack: Stack, key: asyncssh.SSHKey) -> None:
    host.listen()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    stack.connect(host, key, host_key=other)
    stack.program("""
        remote.Command("one", connection=connection, create="touch ran")
    """)
    with pytest.raises(PulumiError, match=r"after 2 failed attempts: .*Host key is not trusted"):
        stack.up()
    assert not (host.disk / "ran").exists()


def test_wrong_user_key_is_retried_like_any_failed_dial(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.connect(host, asyncssh.generate_private_key("ssh-ed25519"))
    stack.program("""
        remote.Command("one", connection=connection, create="true")
    """)
    with pytest.raises(PulumiError, match=r"after 2 failed attempts: .*Permission denied"):
        stack.up()


def _listen_after_hanging_up_twice(host: SshHost) -> None:
    with socket.create_server((host.address, PORT)) as booting:
        for _ in range(2):
            caller, _address = booting.accept()
            caller.close()
    host.listen()


def test_dialling_goes_on_until_the_host_listens(host: SshHost, stack: Stack, key: asyncssh.SSHKey) -> None:
    stack.connect(host, key, dial_error_limit=-1)
    stack.program("""
        one = remote.Command("one", connection=connection, create="echo up")
        pulumi.export("stdout", one.stdout)
    """)
    boot = threading.Thread(target=_listen_after_hanging_up_twice, args=(host,))
    boot.start()
    outcome = stack.up()
    boot.join()
    assert outcome.outputs["stdout"] == "up"
    assert ("one", "Dial 2/inf failed: retrying") in outcome.status_lines


def test_custom_timeout_ends_the_dialling(host: SshHost, stack: Stack, key: asyncssh.SSHKey) -> None:
    stack.connect(host, key, dial_error_limit=-1)
    stack.program("""
        remote.Command("one", connection=connection, create="true",
                       opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="2s")))
    """)
    with pytest.raises(PulumiError, match="could not be reached within the resource's timeout of 2 s"):
        stack.up()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [("hostt=1", "connection.hostt"), ("proxy={'host': 'bastion'}", "a bastion host needs the official")],
    ids=["unknown key", "proxy"],
)
def test_wrong_connection_is_refused_without_printing_the_private_key(
    stack: Stack, key: asyncssh.SSHKey, wrong: str, reason: str
) -> None:
    stack.program(f"""
        settings = json.load(open("connection.json"))
        connection = dict(host="h", privateKey=settings["private_key"], {wrong})
        remote.Command("wrong", connection=connection, create="true")
    """)
    with pytest.raises(PulumiError) as failure:
        stack.up()
    assert reason in str(failure.value)
    assert key.export_private_key().decode().splitlines()[1] not in str(failure.value)
