"""The stand-in's process, spoken to over gRPC as the engine does: how it starts, and what makes it end."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import grpc
import psutil
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from scripts.command_plugin.properties import to_wire
from tests.support.command_plugin.ssh_host import PORT, SshHost
from tests.support.polling import until

REPOSITORY = Path(__file__).absolute().parents[3]
NO_ENGINE = "127.0.0.1:1"
PLUGIN = [sys.executable, "-m", "scripts.command_plugin", NO_ENGINE]


@contextmanager
def plugin() -> Iterator[tuple["subprocess.Popen[str]", Any]]:
    """A running plugin and a stub for it; ended on leaving."""
    process = subprocess.Popen(PLUGIN, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            yield process, provider_pb2_grpc.ResourceProviderStub(channel)
    finally:
        process.kill()
        process.communicate()


def create_request(command: str, host: str, private_key: str = "", limit: int = 0) -> provider_pb2.CreateRequest:
    connection = {"host": host, "port": PORT, "user": "ubuntu", "dialErrorLimit": limit}
    if private_key:
        connection["privateKey"] = private_key
    return provider_pb2.CreateRequest(
        urn="urn:pulumi:test::commands::lambdavllm:machine:Machine$command:remote:Command::one",
        properties=to_wire({"connection": connection, "create": command, "addPreviousOutputInEnv": True}),
    )


@pytest.fixture
def listening(host: SshHost) -> SshHost:
    host.listen()
    return host


def test_cancel_lets_a_running_command_end_and_then_the_plugin_goes(listening: SshHost, key: asyncssh.SSHKey) -> None:
    with plugin() as (process, stub):
        request = create_request(
            "touch started; sleep 2; touch finished", listening.address, key.export_private_key().decode()
        )
        creating: Future[provider_pb2.CreateResponse] = stub.Create.future(request)
        until((listening.disk / "started").exists)
        stub.Cancel(empty_pb2.Empty())
        assert creating.result(timeout=30).id.startswith("one")
        assert (listening.disk / "finished").exists()
        assert process.wait(timeout=30) == 0


def test_cancel_ends_dialling_at_once() -> None:
    with plugin() as (process, stub):
        dialling = stub.Create.future(create_request("true", "127.76.200.3", limit=-1))
        time.sleep(1)
        stub.Cancel(empty_pb2.Empty())
        with pytest.raises(grpc.RpcError, match="cancelled before the host could be reached"):
            dialling.result(timeout=5)
        assert process.wait(timeout=30) == 0


def test_plugin_goes_when_its_engine_is_killed() -> None:
    engine = subprocess.Popen(
        ["/bin/sh", "-c", '"$@" & echo $!; wait', "engine", *PLUGIN],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert engine.stdout is not None
    orphan = psutil.Process(int(engine.stdout.readline()))
    assert engine.stdout.readline().strip().isdigit()
    engine.kill()
    engine.wait()
    try:
        orphan.wait(timeout=30)
    finally:
        engine.stdout.close()
        if orphan.is_running():
            orphan.kill()


def test_other_resource_types_are_refused_by_name() -> None:
    with plugin() as (_, stub):
        request = provider_pb2.CheckRequest(urn="urn:pulumi:test::commands::command:local:Command::one")
        with pytest.raises(grpc.RpcError, match="not command:local:Command; install the official plugin"):
            stub.Check(request)
