"""Every `ssh` that is started or printed is told not to read what the user has set up for other hosts."""

import re
import shlex
from itertools import pairwise

import pytest

from components.machine.gpu_machine import ssh_command
from components.machine.known_hosts import known_hosts_line, read_known_hosts_line
from ops.ssh import Login
from tests.support.pulumi_cli import REPOSITORY

HOST_KEY = "ssh-ed25519 AAAA comment"
OLDER_OUTPUT = "ssh -i ~/.ssh/lambda-vllm-dev -p 2222 -o IdentitiesOnly=yes ubuntu@192.0.2.1"
NEEDED = (
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "GlobalKnownHostsFile=/dev/null",
)
SHOWN = re.compile(r"(?:^|[`:$(]\s*|\s{2})(ssh -[^\n`]*)", re.MULTILINE)


def printed(rest: str = "") -> list[str]:
    return shlex.split(ssh_command("192.0.2.1", 2222, HOST_KEY, "~/.ssh/key", rest))


@pytest.mark.parametrize("which", ["printed", "printed tunnel", "ops", "ops, older state"])
def test_neither_a_configuration_file_nor_an_agent_nor_a_prompt_has_a_say(which: str) -> None:
    words = {
        "printed": printed(),
        "printed tunnel": printed("-N -L 8443:localhost:8443 "),
        "ops": Login(tuple(printed())).shell(),
        "ops, older state": Login(tuple(shlex.split(OLDER_OUTPUT))).command("true"),
    }[which]
    assert words[:3] == ["ssh", "-F", "none"]
    given = [value for name, value in pairwise(words) if name == "-o"]
    assert set(NEEDED) <= set(given)


def test_the_shell_still_finds_the_key_in_the_home_folder() -> None:
    assert " -i ~/.ssh/key " in ssh_command("192.0.2.1", 22, HOST_KEY, "~/.ssh/key")


def test_the_words_of_a_stack_come_after_those_that_seal_it() -> None:
    # OpenSSH takes the first value of each option.
    words = Login(tuple(shlex.split(OLDER_OUTPUT))).command("true", ["-L", "1:localhost:2"])
    assert words[-2:] == ["ubuntu@192.0.2.1", "true"]
    assert words.index("GlobalKnownHostsFile=/dev/null") < words.index("-L") < words.index("-i")


@pytest.mark.parametrize("port", [22, 2222])
def test_a_line_of_known_hosts_is_read_as_it_was_written(port: int) -> None:
    line = known_hosts_line("192.0.2.1", port, HOST_KEY)
    assert read_known_hosts_line(line) == ("192.0.2.1", port, "ssh-ed25519 AAAA")


def test_every_ssh_that_the_documents_show_is_sealed_as_well() -> None:
    texts = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "examples").glob("*.md")]
    shown = [found for text in texts for found in SHOWN.findall(text.read_text())]
    assert shown
    assert [line for line in shown if not line.startswith("ssh -F none ")] == []


@pytest.mark.parametrize("name", ["one_instance", "filesystem", "five_instances"])
def test_no_program_of_an_example_writes_an_ssh_of_its_own(name: str) -> None:
    assert '"ssh -' not in (REPOSITORY / "examples" / name / "__main__.py").read_text()
