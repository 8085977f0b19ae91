"""Tunnels of `python -m ops`, and what a command that is ended from outside leaves behind: nothing."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from components.vllm.endpoint_check.probe import takes_connection
from tests.support.ops_served import ANSWER, CLIENT, CLOSED, LOG, line_with, run, served
from tests.support.ops_stack import (
    left_in_temporary_folder,
    stack_with,
)
from tests.support.ops_terminal import SECONDS
from tests.support.polling import until_async
from tests.support.process_machine import Machine
from tests.support.small_openai import KEY


def test_a_tunnel_that_is_cut_opens_again_at_the_same_port_and_ends_without_a_trace(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            with socket.socket() as taken:
                # Where that fails somebody else has it, which is as good.
                with suppress(OSError):
                    taken.bind(("127.0.0.1", way.server.port))
                    taken.listen()
                tunnel = await way.stack.start("tunnel")
                assert f"port {way.server.port} of this computer is taken" in await line_with(tunnel.stderr, "taken")
                exports = [await line_with(tunnel.stdout, "export") for _ in range(3)]
            variables = dict(line.removeprefix("export ").strip().split("=", 1) for line in exports)
            assert variables["OPENAI_API_KEY"] == KEY
            await answers(variables)
            cut(way.machine)
            await line_with(tunnel.stderr, "the tunnel was cut")
            await line_with(tunnel.stderr, "open again")
            await answers(variables)
            tunnel.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(tunnel.wait(), SECONDS) == 0
            assert not takes_connection("127.0.0.1", urlsplit(variables["OPENAI_BASE_URL"]).port or 0)
            assert left_in_temporary_folder(way.stack) == []
            assert Path(variables["SSL_CERT_FILE"]).read_text() == way.server.ca

    async def answers(variables: dict[str, str]) -> None:
        """OpenAI's client, with what was to be pasted and nothing else."""
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, env={**os.environ, **variables}, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(client.communicate(), SECONDS)
        assert output.decode() == f"{ANSWER}\n"

    def cut(machine: Machine) -> None:
        for connection in machine.machines._servers[machine.spec.instance_id].connections:
            connection.abort()

    run(scenario())


def test_a_prometheus_here_is_told_of_the_tunnel_where_the_firewall_is_closed(tmp_path: Path) -> None:
    outputs = {"endpoint": f"https://{CLOSED}:8443/v1", "ca_certificate": "PEM"}
    stack = stack_with(tmp_path, outputs, {"api_key": KEY})

    async def scenario() -> None:
        done = await stack.ops("monitoring", "--folder", str(tmp_path / "monitoring"))
        assert done.status == 0, done.errors
        assert "keep `python -m ops tunnel --port 8443` running beside it" in done.errors
        assert 'targets: ["127.0.0.1:8443"]' in (tmp_path / "monitoring/prometheus.yml").read_text()

    run(scenario())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_from_outside_takes_its_key_away(tmp_path: Path, number: int) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            folder = way.machine.home / LOG
            folder.mkdir(parents=True)
            (folder / "vllm.log").write_text("on\n")
            logs = await way.stack.start("logs", "-f")
            await line_with(logs.stdout, "on")
            (key,) = Path(way.stack.environment["TMPDIR"]).glob("lambda-vllm-ops-*/key")
            assert key.stat().st_mode & 0o777 == 0o600
            children = psutil.Process(logs.pid).children(recursive=True)
            assert children
            logs.send_signal(number)
            assert await asyncio.wait_for(logs.wait(), SECONDS) == 128 + number
            assert psutil.wait_procs(children, SECONDS)[1] == []
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_from_outside_takes_its_tunnel_away_whose_key_is_never_on_the_disk(
    tmp_path: Path, number: int
) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            way.server.endless = True
            chat = await way.stack.start("chat", "--prompt", "x")
            assert chat.stdout
            await asyncio.wait_for(chat.stdout.readuntil(b"on"), SECONDS)
            kept = [file for file in Path(way.stack.environment["TMPDIR"]).rglob("*") if file.is_file()]
            assert kept
            assert [file for file in kept if "PRIVATE KEY" in file.read_text()] == []
            assert psutil.Process(chat.pid).children(recursive=True) == []
            chat.send_signal(number)
            _, errors = await asyncio.wait_for(chat.communicate(), SECONDS)
            assert chat.returncode == 128 + number
            assert b"Traceback" not in errors
            await until_async(way.server.left.is_set, SECONDS)
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


def test_a_tunnel_to_a_port_that_is_taken_and_one_to_a_machine_that_refuses_end_with_one_line(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                port = taken.getsockname()[1]
                done = await way.stack.ops("tunnel", "--port", str(port))
            assert (done.status, done.output) == (1, "")
            assert done.errors == f"ops: port {port} of this computer is taken: choose another one\n"
            await way.machine.machines.close()
            done = await way.stack.ops("tunnel")
            address = f"{way.machine.spec.ip} port {way.machine.machines.ssh_port}"
            assert (done.status, done.output) == (1, "")
            told = f"no way to the machine over SSH: ssh: connect to host {address}: Connection refused"
            assert done.errors == f"ops: {told}\n"
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())
