"""`status`: what runs, how busy it is, what it costs."""

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from ops.errors import OpsError
from ops.machine_state import MachineState, ask_machine
from ops.metrics import Metrics, read_metrics
from ops.outputs import StackOutputs
from ops.price import dollars_for, dollars_per_million_tokens
from ops.server import reach
from ops.ssh import login
from ops.status_text import lines


@dataclass(frozen=True)
class Figures:
    """Of the running server; None is what it does not say. Times in seconds, shares from 0 to 1."""

    uptime: float | None
    running: float | None
    waiting: float | None
    finished: dict[str, float]
    """Requests since the start, by what ended them: stop, length, abort, error."""
    prompt_tokens: float | None
    output_tokens: float | None
    output_tokens_per_second: float | None
    """Over the seconds between the two reads."""
    total_tokens_per_second: float | None
    output_tokens_per_second_since_start: float | None
    kv_cache_usage: float | None
    prefix_cache_hit_rate: float | None
    preemptions: float | None
    ttft_median: float | None
    ttft_p95: float | None
    itl_median: float | None
    itl_p95: float | None
    queue_mean: float | None
    """Exact, where the first bucket of the queue's times is as wide as 0.3 s."""


@dataclass(frozen=True)
class Cost:
    """Dollars; None where the price, the age or the rate is not known."""

    per_hour: float | None
    since_set_up: float | None
    per_million_output_tokens: float | None
    per_million_tokens: float | None


@dataclass(frozen=True)
class Status:
    """All of it; `problems` says in a line each what could not be asked."""

    model: str | None
    endpoint: str | None
    instance_type: str | None
    service: str
    doing: str
    restarts: int | None
    server: Figures | None
    cost: Cost
    starts: list[dict[str, Any]]
    problems: list[str]


def status(outputs: StackOutputs, seconds: float, *, as_json: bool) -> int:
    """Print it; 0 when the server answers, 1 when it does not."""
    found = find_status(outputs, seconds)
    print(json.dumps(asdict(found), indent=2) if as_json else "\n".join(lines(found)))
    return 0 if found.server else 1


def find_status(outputs: StackOutputs, seconds: float) -> Status:
    """Ask the server twice, `seconds` apart, and the machine once."""
    problems: list[str] = []
    server, machine = None, MachineState("unknown", None, None)
    try:
        with reach(outputs) as way:
            first, start = read_metrics(way.metrics()), time.monotonic()
            time.sleep(seconds)
            second = read_metrics(way.metrics())
            # By the server's own clock, by which it says when it was started.
            server = figures(first, second, time.monotonic() - start, way.clock or time.time())
    except OpsError as error:
        problems.append(str(error))
    try:
        with login(outputs) as to:
            machine = ask_machine(to)
    except OpsError as error:
        problems.append(str(error))
    return Status(
        model=outputs.values.get("model"),
        endpoint=outputs.values.get("endpoint"),
        instance_type=outputs.instance_type,
        service=machine.service,
        doing=machine.doing,
        restarts=machine.restarts,
        server=server,
        cost=cost(outputs.price_per_hour, machine.age_seconds, server),
        starts=machine.starts,
        problems=problems,
    )


def figures(first: Metrics, second: Metrics, seconds: float, now: float) -> Figures:
    """From two reads that are `seconds` apart; `now` is the time of the second, in seconds since 1970."""
    started = second.total("process_start_time_seconds")
    uptime = max(0.0, now - started) if started else None
    output = second.total("vllm:generation_tokens_total")
    output_rate = rate(first, second, "vllm:generation_tokens_total", seconds)
    prompt_rate = rate(first, second, "vllm:prompt_tokens_total", seconds)
    ttft, itl = "vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds"
    return Figures(
        uptime=uptime,
        running=second.total("vllm:num_requests_running"),
        waiting=second.total("vllm:num_requests_waiting"),
        finished=second.by("vllm:request_success_total", "finished_reason"),
        prompt_tokens=second.total("vllm:prompt_tokens_total"),
        output_tokens=output,
        output_tokens_per_second=output_rate,
        total_tokens_per_second=None if output_rate is None or prompt_rate is None else output_rate + prompt_rate,
        output_tokens_per_second_since_start=output / uptime if output is not None and uptime else None,
        kv_cache_usage=second.mean("vllm:kv_cache_usage_perc"),
        prefix_cache_hit_rate=share(second, "vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"),
        preemptions=second.total("vllm:num_preemptions_total"),
        ttft_median=second.quantile(ttft, 0.5),
        ttft_p95=second.quantile(ttft, 0.95),
        itl_median=second.quantile(itl, 0.5),
        itl_p95=second.quantile(itl, 0.95),
        queue_mean=second.mean_of("vllm:request_queue_time_seconds"),
    )


def rate(first: Metrics, second: Metrics, name: str, seconds: float) -> float | None:
    """Growth per second; what a server that was started between the reads has counted is its growth."""
    before, after = first.total(name), second.total(name)
    if after is None or seconds <= 0:
        return None
    grown = after if before is None or after < before else after - before
    return grown / seconds


def share(metrics: Metrics, part: str, whole: str) -> float | None:
    """None before the first of them."""
    hits, of = metrics.total(part), metrics.total(whole)
    return hits / of if hits is not None and of else None


def cost(price: float | None, age_seconds: float | None, server: Figures | None) -> Cost:
    """At the rate of the last seconds."""
    output, total = (server.output_tokens_per_second, server.total_tokens_per_second) if server else (None, None)
    return Cost(
        per_hour=price,
        since_set_up=dollars_for(price, age_seconds),
        per_million_output_tokens=dollars_per_million_tokens(price, output),
        per_million_tokens=dollars_per_million_tokens(price, total),
    )
