"""The command line: serve, up, down, status. Every error is one line on stderr."""

import argparse
import asyncio
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from localcloud import background
from localcloud.account.state import StateDirectory
from localcloud.errors import LocalCloudError

Command = Callable[[argparse.Namespace], int]

DEFAULT_STATE = Path(".local/cloud")
DEFAULT_PORT = 8600
SMALLEST_DISK_GIB = 1 / 64
"""Less has no room for what ext4 keeps itself."""
GIB = 1024**3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code: 0, 1 when it failed, 2 when it was not understood."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:
        # Nobody reads any more: there is nothing to say and nobody to say it to.
        raise
    except (LocalCloudError, OSError) as error:
        print(f"localcloud: {error}", file=sys.stderr)
        return 1


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; `{self.prog} --help` shows what there is\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="python -m localcloud", description="A Lambda Cloud on this computer.")
    commands = parser.add_subparsers(dest="command", required=True)
    _serving(commands.add_parser("serve", help="run in the foreground until SIGTERM or Ctrl-C"), _serve)
    _serving(commands.add_parser("up", help="run in the background"), _up)
    _on_state(commands.add_parser("down", help="destroy all machines, stop, remove the state"), _down)
    status = commands.add_parser("status", help="URL, secrets and instances")
    status.add_argument("--json", action="store_true", help="for programs")
    _on_state(status, _status)
    return parser


def _on_state(parser: argparse.ArgumentParser, run: Command) -> None:
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    parser.set_defaults(run=run)


def _serving(parser: argparse.ArgumentParser, run: Command) -> None:
    _on_state(parser, run)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="port, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--machines", choices=["process", "nspawn", "none"], default="process", help="what an instance is"
    )
    parser.add_argument(
        "--accelerator",
        default="none",
        metavar="PROFILE|FILE",
        help="what nvidia-smi says on machines with GPUs; without one they have no nvidia-smi (default: %(default)s)",
    )
    parser.add_argument(
        "--disk-gib",
        type=_disk_gib,
        help="how much the disk of each process machine holds; needs root",
    )
    parser.add_argument(
        "--time-scale",
        type=time_scale,
        default=1.0,
        help="stretches boots and terminations: 1 is like Lambda, 0 is at once (default: %(default)s)",
    )
    parser.add_argument(
        "--rate-limit",
        type=rate_limit,
        default="lambda",
        help="Lambda's limits, `off`, or a factor on Lambda's intervals such as 0.1 (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of boot times and of a scenario (default: %(default)s)")
    parser.add_argument("--capacity-seed", type=int, help="let capacity come and go, as follows from this number")
    parser.add_argument("--scenario", type=_scenario, help="a named set of faults, such as bad-tuesday")


def _disk_gib(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not SMALLEST_DISK_GIB <= size <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not the size of a disk ({SMALLEST_DISK_GIB} to 100000 GiB)")
    return size


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def time_scale(text: str) -> float:
    """What `--time-scale` takes."""
    try:
        scale = float(text)
    except ValueError:
        scale = -1.0
    if not 0 <= scale <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time scale (0 to 1000)")
    return scale


def rate_limit(text: str) -> str | float:
    """What `--rate-limit` takes."""
    if text in {"lambda", "off"}:
        return text
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate limit (lambda, off, or a positive number)")
    return factor


def _scenario(name: str) -> str:
    # Only here: it takes the server's imports, which the other commands should not wait for.
    from localcloud.faults.scenarios import scenario_named

    try:
        scenario_named(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def _state(options: argparse.Namespace) -> StateDirectory:
    return StateDirectory(options.state.expanduser().absolute())


def _serve(options: argparse.Namespace) -> int:
    # Only here: the server is most of the program, and the other commands should answer at once.
    from localcloud.machines.accelerator import read_accelerator
    from localcloud.server import Settings, serve

    _prepare(options)
    settings = Settings(
        state=_state(options),
        host=options.host,
        port=options.port,
        machines=options.machines,
        time_scale=options.time_scale,
        rate_limit=options.rate_limit,
        accelerator=read_accelerator(options.accelerator),
        disk_bytes=None if options.disk_gib is None else round(options.disk_gib * GIB),
        seed=options.seed,
        capacity_seed=options.capacity_seed,
        scenario=options.scenario,
    )
    asyncio.run(serve(settings))
    return 0


def _prepare(options: argparse.Namespace) -> None:
    """Have what the machines need, before anything of an account is made."""
    if options.disk_gib is not None:
        _check_disks(options.machines)
    if options.machines != "nspawn":
        return
    from localcloud.machines.nspawn.image import image_folder
    from localcloud.machines.nspawn.tools import check_host

    if options.accelerator != "none":
        raise LocalCloudError("--accelerator is for --machines process: machines of the kind nspawn have no GPU")
    check_host()
    image_folder(os.environ)


def _check_disks(machines: str) -> None:
    from localcloud.machines.disk_image import why_not

    if machines != "process":
        raise LocalCloudError("--disk-gib is for --machines process")
    if reason := why_not():
        raise LocalCloudError(f"--disk-gib {reason}")


def _up(options: argparse.Namespace) -> int:
    _prepare(options)
    state = _state(options)
    names = (
        *("host", "port", "machines", "accelerator", "disk_gib"),
        *("time_scale", "rate_limit", "seed", "capacity_seed", "scenario"),
    )
    given = {name: getattr(options, name) for name in names}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    print(background.up(state, [f"--state={state.path}", *flags]))
    return 0


def _down(options: argparse.Namespace) -> int:
    print(background.down(_state(options)))
    return 0


def _status(options: argparse.Namespace) -> int:
    status = background.status(_state(options))
    print(json.dumps(status, indent=2) if options.json else _table(status))
    return 0


def _table(status: dict[str, Any]) -> str:
    words = {
        "URL": status["url"],
        "API key": status["api_key"],
        "HF_ENDPOINT": status["hf_endpoint"],
        "HF_TOKEN": status["hf_token"],
        "HF_TOKEN without access": status["hf_token_without_access"],
        "process": status["pid"],
        "machines": f"{status['machines']}, SSH on port {status['ssh_port']}",
    }
    lines = [f"{name:<24} {value}" for name, value in words.items()]
    return "\n".join([*lines, "", *_instance_lines(status), *_fault_lines(status["faults"])])


def _instance_lines(status: dict[str, Any]) -> list[str]:
    """Each instance with what it runs below it, then the price of all."""
    if not status["instances"]:
        return ["no instances"]
    row = "{:<32}  {:<11}  {:<15}  {:<16}  {:<21}  {:>6}  {:<19}  {}".format
    lines = [row("instance", "status", "ip", "region", "type", "$/h", "since", "name")]
    for one in status["instances"]:
        price = f"{one['price_cents_per_hour'] / 100:.2f}"
        since = datetime.fromtimestamp(one["since"]).strftime("%Y-%m-%d %H:%M:%S")
        words = (one["id"], one["status"], one["ip"] or "-", one["region"], one["instance_type"], price, since)
        lines.append(row(*words, one["name"] or "").rstrip())
        lines += [f"  runs {command}" for command in one["commands"]]
    return [*lines, f"all together ${status['cents_per_hour'] / 100:.2f} an hour"]


def _fault_lines(faults: list[dict[str, Any]]) -> list[str]:
    return [f"fault: {one['operation']} {one['kind']}, {_how_often(one)}" for one in faults]


def _how_often(fault: dict[str, Any]) -> str:
    parts = [f"{fault['probability']:.0%} of calls"] if "probability" in fault else []
    return ", ".join([*parts, f"{fault['times']} more"] if "times" in fault else parts)
