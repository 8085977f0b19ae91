"""What the stand-in loads before it has run a command: it is on the way of every run of the engine."""

import subprocess
import sys

from tests.support.pulumi_cli import REPOSITORY

SERVES = """
import sys
from scripts.command_plugin.protocol import leave_out_the_sdk
leave_out_the_sdk()
import scripts.command_plugin.server
"""


def loaded(code: str, *names: str) -> set[str]:
    """Which of these modules are loaded after the code."""
    command = [sys.executable, "-c", f"{code}\nprint(*({set(names)!r} & set(sys.modules)))"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_serving_loads_the_protocol_and_neither_the_sdk_nor_asyncssh() -> None:
    sdk = ("pulumi.resource", "pulumi.runtime.settings", "pulumi.automation", "opentelemetry")
    protocol = "pulumi.runtime.proto.provider_pb2"
    assert loaded(SERVES, protocol, "asyncssh", "cryptography", *sdk) == {protocol}


def test_where_the_sdk_is_loaded_it_stays() -> None:
    code = "import pulumi\n" + SERVES + "assert sys.modules['pulumi'] is pulumi and pulumi.Output"
    assert loaded(code, "pulumi.resource") == {"pulumi.resource"}
