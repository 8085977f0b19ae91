"""What users have in ~/.ssh and /etc/ssh, in their agent and in their environment changes no `ssh` of ours."""

import asyncio
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from components.machine.gpu_machine import ssh_command
from components.machine.key_pair.provider import new_pair
from components.machine.known_hosts import known_hosts_line
from components.machine.ssh_tunnel import Login as TunnelLogin
from components.machine.ssh_tunnel import open_tunnel
from ops.ssh import Login
from tests.support.hostile_ssh import CONFIG, hostile_ssh, why_not
from tests.support.ops_served import ANSWER, CLOSED
from tests.support.ops_stack import ssh_outputs, stack_with
from tests.support.process_machine import Machine, booted
from tests.support.small_openai import KEY, small_server

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

IP, PORT = "192.0.2.1", 2222


def settings(words: list[str], path: str) -> str:
    """What OpenSSH has made of a command line and of all that it reads besides."""
    done = subprocess.run(
        [words[0], "-G", *words[1:]],
        env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def hostile_path(folder: Path, known_hosts: str = "") -> str:
    return f"{hostile_ssh(folder / 'hostile', known_hosts)}{os.pathsep}{os.environ['PATH']}"


def test_openssh_makes_the_same_of_our_commands_whatever_the_users_files_say(tmp_path: Path) -> None:
    _, host_key = new_pair("host")
    printed = shlex.split(ssh_command(IP, PORT, host_key, str(tmp_path / "key")))
    forward = shlex.split(ssh_command(IP, PORT, host_key, str(tmp_path / "key"), "-N -L 8000:localhost:8000 "))
    path = hostile_path(tmp_path)
    # The files are read, and by an `ssh` as one would call it without thinking of them.
    assert "remotecommand echo hijacked" in settings(["ssh", IP], path)
    assert "user mallory" in settings(["ssh", "-p", "22", IP], path)
    for words in (printed, forward, Login(tuple(printed)).shell(), Login(tuple(printed)).command("x")):
        made = settings(words, path)
        assert made == settings(words, os.environ["PATH"])
        assert f"hostname {IP}\nport {PORT}\n" in made
        assert "user ubuntu\n" in made


def test_a_printed_command_takes_a_way_over_another_host_when_the_user_adds_one(tmp_path: Path) -> None:
    _, host_key = new_pair("host")
    words = shlex.split(f"{ssh_command(IP, PORT, host_key, str(tmp_path / 'key'))} -J me@jump.example.org")
    made = settings(words, os.environ["PATH"])
    assert "proxyjump me@jump.example.org" in made
    assert f"hostname {IP}\n" in made


@contextmanager
def silent_agent(folder: Path) -> Iterator[Path]:
    """An SSH agent that takes connections and says nothing, as one whose window waits for somebody."""
    with socket.socket(socket.AF_UNIX) as listening:
        place = folder / "agent"
        listening.bind(str(place))
        listening.listen()
        yield place


def surroundings(folder: Path, machine: Machine, agent: Path) -> dict[str, str]:
    """A user's environment at its worst; `asked` is there when somebody has been asked for a password."""
    _, other = new_pair("other")
    asking = folder / "asking"
    asking.write_text(f"#!/bin/sh\ntouch {folder}/asked\necho secret\n")
    asking.chmod(0o755)
    home_ssh = folder / "home/.ssh"
    home_ssh.mkdir(parents=True)
    (home_ssh / "config").write_text(CONFIG)
    (home_ssh / "known_hosts").write_text(known_hosts_line(machine.spec.ip, machine.machines.ssh_port, other))
    (home_ssh / "id_ed25519").write_text("not a key\n")
    return {
        # Where Python looks; for OpenSSH it is in the password database.
        "HOME": str(home_ssh.parent),
        "PATH": hostile_path(folder, known_hosts_line(machine.spec.ip, machine.machines.ssh_port, other)),
        "SSH_AUTH_SOCK": str(agent),
        "SSH_ASKPASS": str(asking),
        "SSH_ASKPASS_REQUIRE": "force",
        "DISPLAY": ":9",
    }


def test_ops_reaches_the_machine_through_the_worst_of_set_ups(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            with small_server(machine.spec.ip, tmp_path) as server, silent_agent(tmp_path) as agent:
                plain, secret = await ssh_outputs(machine)
                endpoint = server.endpoint.replace(machine.spec.ip, CLOSED)
                outputs = {**plain, "endpoint": endpoint, "model": "m", "ca_certificate": server.ca}
                stack = await asyncio.to_thread(stack_with, tmp_path, outputs, {**secret, "api_key": KEY})
                hostile = surroundings(tmp_path, machine, agent)
                done = await stack.ops("ssh", "echo here $OPS_TEST", **hostile)
                assert (done.status, done.output, done.errors) == (0, "here\n", "")
                done = await stack.ops("chat", "--prompt", "x", **hostile)
                assert (done.status, done.output) == (0, f"{ANSWER}\n"), done.errors
                assert not (tmp_path / "asked").exists()

    asyncio.run(asyncio.wait_for(scenario(), 800))


def test_the_printed_command_logs_in_through_the_worst_of_set_ups(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            with silent_agent(tmp_path) as agent:
                plain, _ = await ssh_outputs(machine)
                words = shlex.split(plain["ssh"])
                words[words.index("-i") + 1] = str(machine.key)
                done = await asyncio.create_subprocess_exec(
                    *words, "echo here $OPS_TEST",
                    env={**os.environ, **surroundings(tmp_path, machine, agent)},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
                assert await asyncio.wait_for(done.communicate(), 240) == (b"here\n", b"")
                assert not (tmp_path / "asked").exists()

    asyncio.run(asyncio.wait_for(scenario(), 800))


def test_the_check_of_the_endpoint_opens_its_tunnel_through_the_worst_of_set_ups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            with silent_agent(tmp_path) as agent:
                _, secret = await ssh_outputs(machine)
                login = TunnelLogin(
                    machine.spec.ip, machine.machines.ssh_port, secret["ssh_private_key"], await host_key_of(machine)
                )
                for name, value in surroundings(tmp_path, machine, agent).items():
                    monkeypatch.setenv(name, value)
                # The files are read, and by a client that does not think of them.
                with pytest.raises(asyncssh.ConnectionLost):
                    await asyncssh.connect(login.ip, login.port, client_keys=[str(machine.key)], known_hosts=None)
                assert await asyncio.to_thread(opens, login)

    asyncio.run(asyncio.wait_for(scenario(), 800))


async def host_key_of(machine: Machine) -> str:
    plain, _ = await ssh_outputs(machine)
    told = next(word for word in shlex.split(plain["ssh"]) if word.startswith("KnownHostsCommand="))
    return told.split(" ", 2)[2]


def opens(login: TunnelLogin) -> bool:
    with open_tunnel(login, 1) as tunnel:
        return tunnel.port > 0
