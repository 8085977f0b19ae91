"""`python -m scripts.tools`: set up everything that is missing. Can be interrupted and run again at any time."""

import fcntl
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.tools.checkout import Checkout, this_checkout
from scripts.tools.command_plugin import STAND_IN, ensure_command_plugin
from scripts.tools.proof import prove
from scripts.tools.pulumi_cli import ensure_cli
from scripts.tools.step import ToolMissingError
from scripts.tools.virtualenv import ensure_virtualenv

INTERRUPTED = 130


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    checkout = this_checkout()
    checkout.tools.mkdir(exist_ok=True)
    try:
        with one_at_a_time(checkout.tools / "lock"):
            set_up(checkout)
    except ToolMissingError as missing:
        print(f"set-up: {missing}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up: interrupted; run it again and it goes on", file=sys.stderr)
        return INTERRUPTED
    return 0


def set_up(checkout: Checkout) -> None:
    remove_partial(checkout.tools)
    ensure_virtualenv(checkout)
    cli = ensure_cli(checkout)
    plugin = ensure_command_plugin(checkout, cli / "pulumi")
    prove(checkout, cli)
    stand_in = " (the official one could not be had)" if plugin == STAND_IN else ""
    print(f"set-up: complete; Pulumi CLI in {cli}, command plugin: {plugin}{stand_in}")


def remove_partial(tools: Path) -> None:
    """What an interrupted set-up left."""
    for partial in tools.glob("*.partial"):
        shutil.rmtree(partial)


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait until no other set-up of this checkout runs. The lock goes with the process, however it ends."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("set-up: another set-up of this checkout is running; waiting for it", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
