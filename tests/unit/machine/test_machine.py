"""What a machine is launched with."""

import shlex
import socket
from pathlib import Path

import yaml

from components.lambda_cloud.ssh_key.provider import SshKeyProvider
from components.machine.access import firewall_rules
from components.machine.gpu_machine import ssh_command, user_data
from components.machine.host import check_agent
from components.machine.key_pair.provider import KeyPairProvider, new_pair
from components.machine.known_hosts import known_hosts_line


def test_nothing_but_ssh_is_open_by_default() -> None:
    assert [rule["port_range"] for rule in firewall_rules(22, 8000, [])] == [[22, 22]]


def test_the_port_is_open_to_the_allowed_networks_and_to_no_other() -> None:
    rules = firewall_rules(22, 8000, ["203.0.113.7/32", "198.51.100.0/24"])
    open_to = [rule["source_network"] for rule in rules if rule["port_range"] == [8000, 8000]]
    assert open_to == ["203.0.113.7/32", "198.51.100.0/24"]


def test_the_host_key_arrives_whole_in_the_user_data() -> None:
    private, public = new_pair("host")
    text = user_data(private, public)
    assert text.startswith("#cloud-config\n")
    assert yaml.safe_load(text)["ssh_keys"] == {"ed25519_private": private, "ed25519_public": public}


def test_a_renamed_stack_keeps_its_keys() -> None:
    assert KeyPairProvider().diff("1", {"comment": "lambda-vllm-dev"}, {"comment": "lambda-vllm-prod"}).changes is False
    old, new = ({"name_prefix": name, "mark": "0" * 8, "public_key": "ssh-ed25519 A c"} for name in ("dev", "prod"))
    assert SshKeyProvider().diff("1", old, new).changes is False


def test_an_ssh_agent_that_does_not_answer_is_told_before_every_command_fails_on_it(tmp_path: Path) -> None:
    assert check_agent({}) is None
    gone = tmp_path / "agent"
    assert "unset SSH_AUTH_SOCK" in (check_agent({"SSH_AUTH_SOCK": str(gone)}) or "")
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(gone))
        agent.listen()
        assert check_agent({"SSH_AUTH_SOCK": str(gone)}) is None


def test_key_pairs_are_new_every_time_and_in_openssh_form() -> None:
    private, public = new_pair("me@here")
    assert private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert public.startswith("ssh-ed25519 ")
    assert public.endswith(" me@here")
    assert new_pair("me@here")[1] != public


def test_the_known_hosts_line_names_the_port_only_where_it_is_another_than_22() -> None:
    assert known_hosts_line("203.0.113.7", 22, "ssh-ed25519 AAAA comment") == "203.0.113.7 ssh-ed25519 AAAA"
    assert known_hosts_line("203.0.113.7", 2222, "ssh-ed25519 AAAA") == "[203.0.113.7]:2222 ssh-ed25519 AAAA"


def test_the_ssh_command_checks_the_host_key_and_asks_nothing() -> None:
    words = shlex.split(ssh_command("203.0.113.7", 22, "ssh-ed25519 AAAA comment", "~/.ssh/key"))
    assert "StrictHostKeyChecking=yes" in words
    assert "KnownHostsCommand=/bin/echo 203.0.113.7 ssh-ed25519 AAAA" in words
    assert words[-1] == "ubuntu@203.0.113.7"
    assert "[127.77.0.1]:2222 ssh-ed25519" in ssh_command("127.77.0.1", 2222, "ssh-ed25519 AAAA c", "k")
