"""The command line of the live check."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.settings import parse_flag

RESERVE_MINUTES = 4.0
"""What the end of a machine may take, which is paid as well."""

LEAST_MINUTES = 8.0

MOST_DOLLARS = 1000.0
"""Against a slip of the finger."""


@dataclass(frozen=True)
class Options:
    """What is checked."""

    configuration: dict[str, Any]
    """Keys of the stack configuration."""
    dollars: float
    report: Path
    asks: bool
    """Whether the user has to agree first."""

    def minutes(self, dollars_per_hour: float) -> float:
        """How long the machine may live before its end is begun."""
        return self.dollars / dollars_per_hour * 60 - RESERVE_MINUTES


def read_options(arguments: Sequence[str]) -> Options:
    """The command line; ends the program with a line when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="scripts/live-check",
        description="Serves a model on a real machine, measures it, destroys it and writes a report. It costs money.",
    )
    parser.add_argument("--model", default="meta-llama/Llama-3.1-8B-Instruct", help="Hugging Face repository")
    parser.add_argument("--instance-type", default="gpu_1x_gh200")
    parser.add_argument("--region", default="us-east-3")
    parser.add_argument("--image-family", help="another image than the stack's default")
    parser.add_argument("--driver", default="auto", help="auto, compat, upgrade or keep")
    parser.add_argument("--max-model-len", default="auto", help="context in tokens, or auto")
    parser.add_argument("--cpu-offload-gb", default="auto", help="GiB of weights in the machine's memory, or auto")
    parser.add_argument(
        "--dollars", type=_dollars, default=1.0, help="most to spend; the machine is destroyed before that"
    )
    parser.add_argument("--report", type=Path, default=Path("live-check-report.md"), help="where the report goes")
    parser.add_argument("--yes", action="store_true", help="do not ask before money is spent")
    parser.add_argument("--api-url", help="Lambda's API, such as the local cloud's")
    parser.add_argument("--hf-endpoint", help="the Hugging Face hub")
    parser.add_argument("--ssh-port", type=int, help="port of the machine's SSH server")
    parser.add_argument("--vllm-arg", action="append", default=[], metavar="FLAG=VALUE", help="flag of `vllm serve`")
    given = parser.parse_args(arguments)
    configuration = {
        "model": given.model,
        "instanceTypes": [given.instance_type],
        "regions": [given.region],
        "imageFamily": given.image_family,
        "driver": given.driver,
        "maxModelLen": given.max_model_len,
        "cpuOffloadGb": given.cpu_offload_gb,
        "apiUrl": given.api_url,
        "hfEndpoint": given.hf_endpoint,
        "sshPort": given.ssh_port,
        "vllmArgs": dict(map(parse_flag, given.vllm_arg)) or None,
    }
    present = {key: value for key, value in configuration.items() if value is not None}
    return Options(present, given.dollars, given.report, not given.yes)


def _dollars(word: str) -> float:
    amount = float(word)
    if not 0 < amount < MOST_DOLLARS:
        raise argparse.ArgumentTypeError(f"{word} is not between 0 and {MOST_DOLLARS:.0f}")
    return amount
