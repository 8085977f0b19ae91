"""What the commands make of a stack's outputs, and of what Pulumi says when there are none."""

import json
from typing import Any

import pytest

from ops.errors import OpsError
from ops.outputs import StackOutputs, read_outputs
from ops.ssh import failed, with_key
from ops.stack import NoStackError, explained

HOST_KEY = "KnownHostsCommand=/bin/echo [192.0.2.1]:2222 ssh-ed25519 AAAA"
SSH = f"ssh -i ~/.ssh/lambda-vllm-dev -p 2222 -o '{HOST_KEY}' ubuntu@192.0.2.1"


def state(stack: dict[str, Any], machine: dict[str, Any] | None = None) -> str:
    """As `pulumi stack export` has it."""
    resources = [
        {"type": "pulumi:pulumi:Stack", "outputs": stack},
        {"type": "pulumi:providers:command"},
        {"type": "lambdavllm:machine:GpuMachine", "outputs": machine},
    ]
    return json.dumps({"version": 3, "deployment": {"resources": resources}})


def outputs(**values: Any) -> StackOutputs:
    return read_outputs(state(stack={"endpoint": "https://192.0.2.1:8443/v1", "ssh": SSH, **values}))


def test_the_endpoint_says_where_the_server_is_on_the_machine_too() -> None:
    found = outputs()
    assert (found.scheme, found.host, found.port) == ("https", "192.0.2.1", 8443)


@pytest.mark.parametrize("text", ["{}", '{"deployment": {}}', '{"deployment": {"resources": null}}', state({}, {})])
def test_a_stack_without_outputs_is_told_in_one_line_with_what_to_do(text: str) -> None:
    with pytest.raises(OpsError, match=r"no outputs yet: run `pulumi up`"):
        read_outputs(text)


def test_the_machine_that_is_there_now_wins_over_the_one_of_the_last_up_that_succeeded() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"the key"'}
    found = read_outputs(state({"ip": "192.0.2.1", "model": "m"}, {"ip": "192.0.2.2", "ssh_private_key": secret}))
    assert (found.ip, found.model, found.ssh_private_key) == ("192.0.2.2", "m", "the key\n")


def test_the_endpoint_of_a_machine_that_is_gone_is_none() -> None:
    """The address may be somebody else's by now, who would be given the key."""
    served = {"ip": "192.0.2.1", "endpoint": "https://192.0.2.1:8443/v1"}
    assert read_outputs(state(served, {"ip": "192.0.2.1"})).endpoint == served["endpoint"]
    with pytest.raises(OpsError, match="not served yet"):
        _ = read_outputs(state(served, {"ip": "192.0.2.2"})).endpoint


@pytest.mark.parametrize("name", ["api_key", "model", "ssh_private_key", "ip"])
def test_an_output_that_is_not_there_yet_is_named(name: str) -> None:
    with pytest.raises(OpsError, match=f"no output {name}: .*`pulumi up`"):
        getattr(outputs(), name)


def test_without_a_ca_and_a_price_there_is_none() -> None:
    assert outputs().ca_certificate is None
    assert outputs(ca_certificate="").ca_certificate is None
    assert outputs().price_per_hour is None
    assert outputs(price_per_hour=2).price_per_hour == 2.0


def test_secrets_are_not_in_the_text_of_the_object() -> None:
    assert "sk-secret" not in f"{outputs(api_key='sk-secret')!r} {outputs(api_key='sk-secret')}"


def test_a_key_without_its_last_newline_which_openssh_would_refuse_gets_it() -> None:
    assert outputs(ssh_private_key="KEY").ssh_private_key == "KEY\n"


def test_the_host_key_of_the_machine_is_in_the_command_that_logs_in() -> None:
    assert outputs().known_host == ("192.0.2.1", 2222, "ssh-ed25519 AAAA")
    with pytest.raises(OpsError, match="pins no host key"):
        _ = outputs(ssh="ssh -p 2222 ubuntu@192.0.2.1").known_host


def test_another_key_file_takes_the_place_of_the_one_to_be_saved_by_hand() -> None:
    words = with_key(outputs().ssh, "/run/key")
    assert words[:3] == ["ssh", "-i", "/run/key"]
    assert HOST_KEY in words
    assert with_key(["ssh", "ubuntu@192.0.2.1"], "/run/key") == ["ssh", "-i", "/run/key", "ubuntu@192.0.2.1"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("error: no stack selected; please use `pulumi stack select` to choose one", "pulumi stack select NAME"),
        ("error: no stack named 'nope' found", "pulumi stack ls"),
        ("error: no Pulumi.yaml project file found (searching upwards from /)", "--project"),
        (
            "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment "
            "variables",
            "export PULUMI_CONFIG_PASSPHRASE",
        ),
        ("error: incorrect passphrase", "not the one that the stack was made with"),
        ("error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", "pulumi login"),
        ("warning: new version\nerror: the moon is down\nmore", "pulumi failed: the moon is down"),
        ("", "it said nothing"),
    ],
)
def test_what_pulumi_says_becomes_one_line_with_what_to_do(said: str, told: str) -> None:
    line = str(explained(said))
    assert told in line
    assert "\n" not in line


def test_only_a_missing_stack_sends_the_search_on_to_the_one_of_make_local() -> None:
    assert isinstance(explained("error: no stack selected"), NoStackError)
    assert not isinstance(explained("error: incorrect passphrase"), NoStackError)


def test_a_machine_with_another_host_key_is_told_as_that() -> None:
    assert "another machine" in str(failed(255, "Host key verification failed.\n"))
    assert str(failed(255, "ssh: connect: Connection timed out\n")).endswith("Connection timed out")
    assert str(failed(3, "one\ntwo\n")) == "the command on the machine failed (3): two"
