"""What the engine keeps and shows."""

import json
from itertools import product
from typing import Any

import asyncssh

from scripts.command_plugin.properties import SECRET, SIGNATURE
from tests.support.command_plugin.ssh_host import PORT, SshHost
from tests.support.command_plugin.stack import Stack


def test_secrets_are_encrypted_in_state_and_unchanged_inputs_are_no_change(
    host: SshHost, stack: Stack, key: asyncssh.SSHKey
) -> None:
    host.listen()
    stack.program("""
        remote.Command("plain", connection=connection, create="wc -c", stdin=pulumi.Output.secret("pass-the-word"))
        remote.Command("echo", connection=connection, create="cat", stdin=pulumi.Output.secret("twice-as-secret"),
                       opts=pulumi.ResourceOptions(additional_secret_outputs=["stdout"]))
        remote.CopyToRemote("copy", connection=connection, source=pulumi.StringAsset("text"), remote_path="text")
    """)
    stack.up()
    state = stack.export()
    assert "pass-the-word" not in state
    assert "twice-as-secret" not in state
    assert key.export_private_key().decode().splitlines()[1] not in state
    assert stack.resource("plain")["outputs"]["stdout"].strip() == str(len("pass-the-word"))
    stack.preview("--expect-no-changes")
    stack.refresh()
    stack.preview("--expect-no-changes")


def test_secrets_of_the_connection_are_kept_within_one_another_as_1_2_1_keeps_them(
    host: SshHost, stack: Stack, key: asyncssh.SSHKey
) -> None:
    """1.2.1 takes a mark that is missing for a change, and would run every command again."""
    host.listen()
    stack.program("""
        remote.Command("command", connection=connection, create="true", triggers=["one", pulumi.Output.secret("two")],
                       stdin=pulumi.Output.secret("text"), environment={})
        remote.CopyToRemote("copy", connection=connection, source=pulumi.StringAsset("text"), remote_path="text")
    """)
    stack.up()
    for resource, part in product(("command", "copy"), ("inputs", "outputs")):
        assert_secrets_are_kept(host, key, resource, stack.opened(resource)[part])


def assert_secrets_are_kept(host: SshHost, key: asyncssh.SSHKey, resource: str, properties: dict[str, Any]) -> None:
    connection = opened_secret(properties["connection"])
    private_key = opened_secret(connection.pop("privateKey"))
    assert asyncssh.import_private_key(private_key).public_data == key.public_data
    assert connection == {
        "host": host.address,
        "port": PORT,
        "user": "ubuntu",
        "hostKey": host.host_key,
        "dialErrorLimit": 2,
        "perDialTimeout": 15,
    }
    if resource == "command":
        assert opened_secret(properties["stdin"]) == "text"
        assert properties["environment"] == {}
        assert properties["create"] == "true"
        assert [properties["triggers"][0], opened_secret(properties["triggers"][1])] == ["one", "two"]


def opened_secret(value: dict[str, str]) -> Any:
    """What a secret of an opened state holds; fails on a value that is none."""
    assert value[SIGNATURE] == SECRET
    return json.loads(value["plaintext"])


def test_defaults_are_written_into_the_inputs(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.program("""
        one = remote.Command("one", connection=connection, create="true")
        settings = pulumi.Output.unsecret(one.connection)
        pulumi.export("timeout", settings.apply(lambda connection: connection.per_dial_timeout))
        pulumi.export("previous", one.add_previous_output_in_env)
    """)
    assert stack.up().outputs == {"timeout": 15, "previous": True}


def test_preview_knows_no_output_and_runs_nothing(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.program("""
        one = remote.Command("one", connection=connection, create="touch ran")
        remote.Command("two", connection=connection, create=one.stdout)
        one.stdout.apply(lambda text: open("stdout-known", "w").close())
    """)
    stack.preview()
    assert host.logins == 0
    assert not (host.disk.parent / "program/stdout-known").exists()
