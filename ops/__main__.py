"""`python -m ops`: talk to the model, look at the server, measure it. The stack is found without arguments."""

import argparse
import signal
import sys
from pathlib import Path

if not __package__:
    sys.exit("ops: start it as `python -m ops`, in the folder that holds ops/")

from components.text.version import VERSION
from ops.bench import Load, bench
from ops.chat import chat
from ops.errors import OpsError
from ops.logs import logs
from ops.monitoring import monitoring
from ops.outputs import StackOutputs
from ops.say import say
from ops.shell import shell
from ops.stack import ROOT, find_outputs
from ops.status import status as show_status
from ops.tunnel import tunnel

INTERRUPTED = 130


def main() -> int:
    options = parser().parse_args()
    # Ended from outside: leave through the `with` blocks, which take key files and tunnels away.
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Not where the caller wants it ignored, as `nohup` does.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return run(options, find_outputs(options.project, options.stack))
    except OpsError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def run(options: argparse.Namespace, outputs: StackOutputs) -> int:
    match options.command:
        case "chat":
            return chat(outputs, options.prompt, options.system, options.max_tokens)
        case "logs":
            return logs(outputs, follow=options.follow, count=options.lines, previous=options.previous)
        case "ssh":
            return shell(outputs, options.words)
        case "status":
            return show_status(outputs, options.seconds, as_json=options.json)
        case "tunnel":
            return tunnel(outputs, options.port)
        case "bench":
            load = Load(options.requests, options.concurrency, options.input_tokens, options.output_tokens)
            return bench(outputs, load, as_json=options.json)
        case _:
            return monitoring(outputs, options.folder)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    made.add_argument("--version", action="version", version=VERSION)
    which = argparse.ArgumentParser(add_help=False)
    group = which.add_argument_group("which stack")
    group.add_argument("--stack", metavar="NAME", help="the selected one of the project, or that of `make local`")
    group.add_argument("--project", metavar="DIR", type=Path, default=ROOT, help="folder of the Pulumi project")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=[which])

    one = command("chat", "talk with the model in the terminal")
    one.add_argument("--prompt", metavar="TEXT", help="ask this and end; without a terminal standard input is asked")
    one.add_argument("--system", metavar="TEXT", help="what the model is told before all else")
    one.add_argument("--max-tokens", metavar="N", type=positive, help="end an answer there")
    one = command("logs", "show the model server's log")
    one.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl+C")
    one.add_argument("-n", "--lines", metavar="N", type=positive, default=50, help="how many of the last lines (50)")
    one.add_argument("--previous", action="store_true", help="of the start before the present one")
    one = command("ssh", "log in to the machine, or run a command there")
    one.add_argument("words", metavar="COMMAND", nargs="*", help="in quotes when it has options of its own")
    one = command("status", "show what runs, how busy it is and what it costs")
    one.add_argument("--seconds", metavar="S", type=positive, default=3, help="how long to watch for the rates (3)")
    one.add_argument("--json", action="store_true", help="for programs; times in seconds, shares from 0 to 1")
    one = command("tunnel", "bring the endpoint to this computer through SSH")
    one.add_argument("--port", metavar="N", type=port, help="local port (the endpoint's, or a free one)")
    one = command("bench", "measure the server with vLLM's own benchmark")
    one.add_argument("--requests", metavar="N", type=positive, default=100, help="how many in all (100)")
    one.add_argument("--concurrency", metavar="N", type=positive, default=8, help="how many at a time (8)")
    one.add_argument("--input-tokens", metavar="N", type=positive, default=128, help="length of a prompt (128)")
    one.add_argument("--output-tokens", metavar="N", type=positive, default=128, help="length of an answer (128)")
    one.add_argument("--json", action="store_true", help="for programs; times in seconds")
    one = command("monitoring", "write what Prometheus needs to read this server, and a Grafana dashboard")
    one.add_argument("--folder", metavar="DIR", type=Path, default=Path("monitoring"), help="where (./monitoring)")
    return made


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
