"""`python -m scripts.command_plugin ENGINE_ADDRESS` serves; `… install` puts the plugin where the engine looks."""

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from .install import PROJECT_ROOT, OfficialPluginError, install
from .protocol import leave_out_the_sdk


def main(arguments: list[str]) -> int:
    if not arguments:
        print("usage: python -m scripts.command_plugin ENGINE_ADDRESS | install --home DIR", file=sys.stderr)
        return 2
    if arguments[0] == "install":
        return _install(arguments[1:])
    leave_out_the_sdk()
    # Imported here because gRPC takes time that `install` does not need.
    from .server import serve

    # The engine waits for the end of this process, in which Python would look through all that was loaded once more.
    gc.freeze()
    # The engine may put flags of its own (--tracing, -v) before its address.
    asyncio.run(serve(arguments[-1]))
    return 0


def _install(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.command_plugin install")
    parser.add_argument("--home", type=Path, required=True, help="PULUMI_HOME of the CLI that shall use it")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter that runs the plugin")
    parser.add_argument("--project-root", type=Path, default=PROJECT_ROOT, help="directory that holds localcloud/")
    options = parser.parse_args(arguments)
    try:
        print(install(options.home, options.python, options.project_root))
    except (OfficialPluginError, OSError) as error:
        print(f"command plugin not installed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
