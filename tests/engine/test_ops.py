"""`python -m ops` against a small server with TLS and a machine's SSH: the way is found, and nothing is left behind."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncssh
import psutil
import pytest

from components.vllm.endpoint_check.probe import takes_connection
from tests.support.ops_stack import (
    OpsStack,
    checkout_after_make_local,
    left_in_temporary_folder,
    project_without_stack,
    ssh_outputs,
    stack_with,
)
from tests.support.ops_terminal import SECONDS, chat_at_terminal
from tests.support.polling import until_async
from tests.support.process_machine import Machine, booted
from tests.support.small_openai import KEY, WORDS, SmallServer, make_certificates, small_server

ANSWER = "".join(WORDS)
CLOSED = "127.78.0.1"
"""An address of no machine: nothing takes connections there, as with a closed firewall."""
LOG = ".local/share/lambda-vllm/logs"
CLIENT = """
import openai
messages = [{"role": "user", "content": "?"}]
chunks = openai.OpenAI(max_retries=0).chat.completions.create(model="m", messages=messages, stream=True)
print("".join(chunk.choices[0].delta.content for chunk in chunks if chunk.choices))
"""


@dataclass
class Served:
    """A machine, a server on it and a stack that leads to them."""

    machine: Machine
    server: SmallServer
    stack: OpsStack


@asynccontextmanager
async def served(
    folder: Path, *, closed: bool = True, tls: bool = True, ca: str | None = None, host_key: str | None = None
) -> AsyncIterator[Served]:
    """With `closed` only SSH leads to the machine."""
    async with booted(folder) as machine:
        with small_server(machine.spec.ip, folder, tls=tls) as server:
            plain, secret = await ssh_outputs(machine, host_key)
            endpoint = server.endpoint.replace(machine.spec.ip, CLOSED) if closed else server.endpoint
            outputs = {"endpoint": endpoint, "model": "meta-llama/Llama-3.1-8B-Instruct", "price_per_hour": 2.29}
            if tls:
                outputs["ca_certificate"] = ca or server.ca
            stack = await asyncio.to_thread(stack_with, folder, {**plain, **outputs}, {**secret, "api_key": KEY})
            try:
                yield Served(machine, server, stack)
            finally:
                stack.end()


def run(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 800))


async def line_with(stream: asyncio.StreamReader | None, words: str) -> str:
    """The next line that has the words."""
    assert stream
    while True:
        line = (await asyncio.wait_for(stream.readline(), SECONDS)).decode()
        assert line, f"ended before it said {words!r}"
        if words in line:
            return line


def test_without_a_stack_every_command_ends_with_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    stack = project_without_stack(tmp_path)

    async def scenario() -> None:
        for command in ("chat", "logs", "ssh", "status", "tunnel", "bench", "monitoring"):
            done = await stack.ops(command)
            assert (done.status, done.output) == (1, "")
            assert done.errors == "ops: no stack is selected: `pulumi stack select NAME`, or name it with --stack\n"

    run(scenario())


@pytest.mark.parametrize("words", [[], ["--stack", "local"]])
def test_the_stack_of_make_local_is_found_from_a_shell_that_knows_nothing_of_it(
    tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "certificates").mkdir()

    async def scenario() -> None:
        with small_server("127.0.0.1", tmp_path / "certificates") as server:
            outputs = {"endpoint": server.endpoint, "model": "m", "ca_certificate": server.ca}
            stack = await asyncio.to_thread(checkout_after_make_local, tmp_path, outputs, {"api_key": KEY})
            done = await stack.ops("chat", "--prompt", "x", *words)
            assert (done.status, done.output) == (0, f"{ANSWER}\n"), done.errors
            assert ("this is the one of `make local`" in done.errors) == (not words)

    run(scenario())


def test_without_a_pulumi_anywhere_a_line_says_so(tmp_path: Path) -> None:
    stack = checkout_after_make_local(tmp_path, {"model": "m"}, {})

    async def scenario() -> None:
        done = await stack.ops("status", PATH=str(tmp_path))
        assert done.errors == (
            "ops: there is no `pulumi` on PATH and none in .tools/bin: run `make tools`, or install Pulumi\n"
        )

    run(scenario())


def test_a_stack_without_outputs_and_an_encrypted_one_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    empty = stack_with(tmp_path / "a", {}, {})
    full = stack_with(tmp_path / "b", {"endpoint": "https://127.0.0.1:1/v1"}, {"api_key": KEY})

    async def scenario() -> None:
        assert (await empty.ops("status")).errors.count("no outputs yet: run `pulumi up`") == 1
        locked = await full.ops("status", PULUMI_CONFIG_PASSPHRASE="")
        assert locked.errors.count("\n") == 1
        assert "PULUMI_CONFIG_PASSPHRASE" in locked.errors
        del full.environment["PULUMI_CONFIG_PASSPHRASE"]
        without = await full.ops("status")
        assert without.errors.count("\n") == 1
        assert "export PULUMI_CONFIG_PASSPHRASE" in without.errors

    run(scenario())


def test_through_a_closed_firewall_an_answer_comes_by_a_tunnel_and_no_key_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            done = await way.stack.ops("chat", "--prompt", "What is the capital of France?")
            assert (done.status, done.output) == (0, f"{ANSWER}\n"), done.errors
            assert "cannot be reached from here: going through an SSH tunnel" in done.errors
            assert "[5 tokens, " in done.errors
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


def test_where_the_endpoint_is_open_no_tunnel_is_made_and_a_prompt_may_come_by_a_pipe(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path, closed=False) as way:
            done = await way.stack.ops("chat", "--system", "Be brief.", stdin="two\nlines\n")
            assert (done.status, done.output) == (0, f"{ANSWER}\n"), done.errors
            assert "tunnel" not in done.errors
            (body,) = way.server.bodies
            assert [message["content"] for message in body["messages"]] == ["Be brief.", "two\nlines"]

    run(scenario())


def test_a_certificate_of_another_ca_is_refused_whatever_the_environment_trusts(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "other").mkdir()
        other = make_certificates(tmp_path / "other", "127.0.0.1")
        async with served(tmp_path, closed=False, ca=other) as way:
            trusted = tmp_path / "trusted.pem"
            trusted.write_text(way.server.ca)
            more = {"REQUESTS_CA_BUNDLE": str(trusted), "SSL_CERT_FILE": str(trusted)}
            done = await way.stack.ops("chat", "--prompt", "x", **more)
            assert (done.status, done.output) == (1, "")
            assert "shows a certificate that is not this stack's" in done.errors
            assert way.server.bodies == []

    run(scenario())


def test_a_machine_with_another_host_key_gets_no_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        async with served(tmp_path, host_key=other) as way:
            done = await way.stack.ops("chat", "--prompt", "x")
            assert done.status == 1
            assert "this is another machine" in done.errors.splitlines()[-1]
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


def test_a_base_model_without_a_chat_template_completes_and_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path, closed=False, tls=False) as way:
            way.server.has_template = False
            done = await way.stack.ops("chat", "--prompt", "Once upon a time")
            assert (done.status, done.output) == (0, f"{ANSWER}\n"), done.errors
            assert done.errors.count("no chat template") == 1
            assert way.server.bodies[-1]["prompt"] == "Once upon a time"

    run(scenario())


def test_in_a_terminal_ctrl_c_stops_the_answer_on_the_server_too_and_not_the_program(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            way.server.endless = True
            async with chat_at_terminal(way.stack) as screen:
                screen.types(b"hello\n")
                await screen.shows("Paris. on on")
                screen.types(b"\x03")
                await screen.shows("[stopped: ")
                await until_async(way.server.left.is_set, SECONDS)
                way.server.endless = False
                screen.types(b"again\n")
                await screen.shows("[5 tokens")
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


def test_the_status_has_the_servers_figures_through_a_tunnel_and_the_price(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            base = way.machine.home / ".local/share/lambda-vllm"
            base.mkdir(parents=True)
            (base / "timeline.jsonl").write_text('{"at": "2026-11-24T16:00:00Z", "why": "change", "start": 73}\n')
            done = await way.stack.ops("status", "--seconds", "1", "--json")
            found = json.loads(done.output)
            assert done.status == 0, done.errors
            assert found["server"]["output_tokens"] == 248
            assert found["server"]["ttft_median"] == pytest.approx(0.03)
            assert found["cost"]["per_hour"] == 2.29
            assert found["starts"] == [{"at": "2026-11-24T16:00:00Z", "why": "change", "start": 73}]
            assert found["problems"] == []
            assert "18 since the start (18 length)" in (await way.stack.ops("status", "--seconds", "1")).output
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


def test_the_status_of_a_server_that_does_not_answer_still_tells_of_the_machine(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            plain, secret = await ssh_outputs(machine)
            outputs = {**plain, "endpoint": f"https://{CLOSED}:8000/v1", "model": "m"}
            stack = await asyncio.to_thread(stack_with, tmp_path, outputs, {**secret, "api_key": KEY})
            done = await stack.ops("status")
            assert done.status == 1
            assert "problem             https://127.0.0.1:" in done.output
            assert "broke the connection off: `python -m ops logs`" in done.output
            assert "service             " in done.output

    run(scenario())


def test_logs_are_shown_followed_over_a_rotation_and_nothing_stays_on_the_machine(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            missing = await way.stack.ops("logs")
            assert (missing.status, missing.errors) == (1, "ops: there is no vllm.log on the machine yet\n")
            folder = way.machine.home / LOG
            folder.mkdir(parents=True)
            (folder / "vllm.log").write_text("one\ntwo\nthree\n")
            (folder / "vllm.log.1").write_text("before\n")
            assert (await way.stack.ops("logs", "-n", "2")).output == "two\nthree\n"
            assert (await way.stack.ops("logs", "--previous")).output == "before\n"
            follow = await way.stack.start("logs", "-f", "-n", "1")
            await line_with(follow.stdout, "three")
            with (folder / "vllm.log").open("a") as log:
                log.write("four\n")
            await line_with(follow.stdout, "four")
            (folder / "vllm.log").rename(folder / "vllm.log.1")
            (folder / "vllm.log").write_text("a new start\n")
            await line_with(follow.stdout, "a new start")
            assert tails_of(way.machine.home)
            follow.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(follow.wait(), SECONDS) == 0
            await until_async(lambda: not tails_of(way.machine.home), SECONDS)
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


def tails_of(home: Path) -> list[int]:
    """Processes that follow a log on a machine."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "cwd"])
        if (process.info["cmdline"] or [""])[0] == "tail" and process.info["cwd"] == str(home)
    ]


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
