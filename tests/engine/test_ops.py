"""`python -m ops` against a small server with TLS and a machine's SSH: the way is found, and nothing is left behind."""

import asyncio
import json
import signal
from pathlib import Path

import asyncssh
import psutil
import pytest

from tests.support.ops_served import ANSWER, CLOSED, LOG, line_with, run, served
from tests.support.ops_stack import (
    checkout_after_make_local,
    left_in_temporary_folder,
    project_without_stack,
    ssh_outputs,
    stack_with,
)
from tests.support.ops_terminal import SECONDS, chat_at_terminal
from tests.support.polling import until_async
from tests.support.process_machine import booted
from tests.support.small_openai import KEY, make_certificates, small_server


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
