"""What the engine keeps and shows."""

import asyncssh

from tests.engine.command_plugin.ssh_host import SshHost
from tests.engine.command_plugin.stack import Stack


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
