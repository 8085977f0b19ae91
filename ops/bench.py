"""`bench`: vLLM's own benchmark, run on the machine, so that it measures the server and not the way to it."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.on_machine.shared.paths import RELEASE
from components.text.counted import counted
from ops.errors import OpsError
from ops.outputs import StackOutputs
from ops.price import dollars_per_million_tokens
from ops.say import say
from ops.ssh import failed, login
from ops.status_text import dollars, number, row, seconds

ON_THE_MACHINE = Path(__file__).with_name("bench_on_machine.py")
PERCENTILES = ("p50", "p95", "p99")
MEASURED = {"ttft": "first_token", "itl": "next_token", "e2el": "whole_answer"}
"""vLLM's names and ours."""


@dataclass(frozen=True)
class Load:
    """What the server is asked."""

    requests: int
    concurrency: int
    """How many are under way at a time."""
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class BenchResult:
    """What came of it."""

    model: str
    instance_type: str | None
    load: Load
    completed: int
    failed: int
    first_error: str | None
    """Of the requests that failed."""
    seconds: float
    requests_per_second: float
    output_tokens_per_second: float
    total_tokens_per_second: float
    latency: dict[str, dict[str, float]]
    """Seconds: first_token, next_token and whole_answer, at the percentiles 50, 95 and 99."""
    dollars_per_hour: float | None
    dollars_per_million_output_tokens: float | None
    dollars_per_million_tokens: float | None


def bench(outputs: StackOutputs, load: Load, *, as_json: bool) -> int:
    """Run it and print the result; 1 when a request failed."""
    say(
        f"{counted(load.requests, 'request')}, {load.concurrency} at a time, on {outputs.ip}; the benchmark takes a "
        "while to start"
    )
    result = read_result(run(outputs, load), outputs, load)
    print(json.dumps(asdict(result), indent=2) if as_json else "\n".join(lines(result)))
    return 1 if result.failed else 0


def run(outputs: StackOutputs, load: Load) -> dict[str, Any]:
    """vLLM's result; its own report goes to standard error. OpsError with its last line when it fails."""
    words = [outputs.scheme, str(outputs.port), outputs.model, *map(str, asdict(load).values())]
    # Without a file on the machine: the program comes by standard input, the key is read there.
    command = f"cd {RELEASE} && exec python3 -m components.on_machine.bench {shlex.join(words)}"
    with login(outputs) as to:
        done = subprocess.run(
            to.command(f"bash -c {shlex.quote(command)}"),
            input=ON_THE_MACHINE.read_text(encoding="utf-8"),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode != 0:
        raise failed(done.returncode, done.stderr)
    try:
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))
    except (ValueError, IndexError):
        raise OpsError("the benchmark on the machine gave no result") from None


def read_result(said: dict[str, Any], outputs: StackOutputs, load: Load) -> BenchResult:
    """From the JSON of `vllm bench serve`; OpsError when no request was answered."""
    if not said["completed"]:
        why = str(said["first_error"])
        if "Bad Request" in why:
            asked = f"{counted(load.input_tokens, 'token')} in and {load.output_tokens} out"
            why += f" (do {asked} fit into the model's context?)"
        raise OpsError(f"every request failed, {load.requests} in all: {why}")
    price = outputs.price_per_hour
    return BenchResult(
        model=outputs.model,
        instance_type=outputs.instance_type,
        load=load,
        completed=said["completed"],
        failed=said["failed"],
        first_error=said["first_error"],
        seconds=said["duration"],
        requests_per_second=said["request_throughput"],
        output_tokens_per_second=said["output_throughput"],
        total_tokens_per_second=said["total_token_throughput"],
        latency={
            ours: {percentile: said[f"{percentile}_{theirs}_ms"] / 1000 for percentile in PERCENTILES}
            for theirs, ours in MEASURED.items()
        },
        dollars_per_hour=price,
        dollars_per_million_output_tokens=dollars_per_million_tokens(price, said["output_throughput"]),
        dollars_per_million_tokens=dollars_per_million_tokens(price, said["total_token_throughput"]),
    )


def lines(result: BenchResult) -> Iterator[str]:
    """The table."""
    load = result.load
    yield row("model", f"{result.model}{f' on {result.instance_type}' if result.instance_type else ''}")
    yield row(
        "load",
        f"{counted(load.requests, 'request')}, {load.concurrency} at a time, {counted(load.input_tokens, 'token')} in, "
        f"{load.output_tokens} out",
    )
    yield row("requests", f"{result.completed} answered, {result.failed} failed, in {result.seconds:.1f} s")
    if result.first_error:
        yield row("", f"the first that failed: {result.first_error[:200]}")
    yield row("", f"{'median':>10}{'p95':>10}{'p99':>10}")
    for name, at in result.latency.items():
        yield row(name.replace("_", " "), "".join(f"{seconds(at[percentile]):>10}" for percentile in PERCENTILES))
    yield row("requests/s", number(result.requests_per_second, 2))
    yield row(
        "tokens/s",
        f"{number(result.output_tokens_per_second, 1)} out, {number(result.total_tokens_per_second, 1)} in all",
    )
    if result.dollars_per_hour is not None:
        yield row(
            "cost",
            f"{dollars(result.dollars_per_million_output_tokens)} per million output tokens, "
            f"{dollars(result.dollars_per_million_tokens)} per million tokens in all, at "
            f"{dollars(result.dollars_per_hour)} an hour",
        )
