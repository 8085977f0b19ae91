"""`python -m scripts.tools.plugin_probe PROGRAM`: start a plugin as Pulumi does and print the version that it says.

Runs in `.venv`, which has Pulumi's protocol. Ends with a line on stderr and status 1 when the plugin does not answer.
"""

import subprocess
import sys

import grpc
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2_grpc

NO_ENGINE = "127.0.0.1:1"
"""A plugin gets the address of its engine and calls it only when there is something to say."""
CALL_SECONDS = 20


class NoPluginError(Exception):
    """The program does not behave like a plugin; the message says how."""


def said_version(program: str) -> str:
    """The version in a plugin's own words, which may be empty.

    Raises:
        NoPluginError: it does not start, prints no port, or does not answer there.
    """
    try:
        plugin = subprocess.Popen([program, NO_ENGINE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        raise NoPluginError(f"it cannot be started: {error.strerror}") from None
    try:
        assert plugin.stdout is not None
        first_line = plugin.stdout.readline().strip()
        if not first_line.isdecimal():
            raise NoPluginError("it does not print the number of a port first, as plugins do")
        with grpc.insecure_channel(f"127.0.0.1:{first_line}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            return str(stub.GetPluginInfo(empty_pb2.Empty(), timeout=CALL_SECONDS).version)
    except grpc.RpcError as error:
        raise NoPluginError(f"it does not answer as a plugin does: {error.code().name}") from None
    finally:
        plugin.kill()
        plugin.wait()


def main() -> int:
    try:
        print(said_version(sys.argv[1]))
    except NoPluginError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
