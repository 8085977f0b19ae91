"""`status` for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from components.text.counted import counted

if TYPE_CHECKING:
    from ops.status import Figures, Status

WIDTH = 20


def lines(status: "Status") -> Iterator[str]:
    """What is not known is left out."""
    restarts = f", started again {counted(status.restarts, 'time')} after crashes" if status.restarts else ""
    yield row("model", status.model or "-")
    yield row("endpoint", status.endpoint or "-")
    doing = f", {status.doing}" if status.doing else ""
    yield row("service", f"{status.service}{doing}{restarts}")
    if status.server:
        yield from _server_lines(status.server)
    yield from _cost_lines(status)
    for start in status.starts:
        yield row("start", start_line(start))
    for problem in status.problems:
        yield row("problem", problem)


def _server_lines(server: "Figures") -> Iterator[str]:
    finished = ", ".join(f"{count:.0f} {reason}" for reason, count in server.finished.items() if count)
    yield row("up for", duration(server.uptime))
    yield row("requests", f"{number(server.running)} running, {number(server.waiting)} waiting")
    yield row("served", f"{sum(server.finished.values()):.0f} since the start{f' ({finished})' if finished else ''}")
    yield row("tokens", f"{number(server.prompt_tokens)} in, {number(server.output_tokens)} out since the start")
    yield row(
        "tokens/s",
        f"{number(server.output_tokens_per_second, 1)} out, {number(server.total_tokens_per_second, 1)} in all now; "
        f"{number(server.output_tokens_per_second_since_start, 1)} out since the start",
    )
    yield row("first token", f"{seconds(server.ttft_median)} median, {seconds(server.ttft_p95)} p95")
    yield row("next token", f"{seconds(server.itl_median)} median, {seconds(server.itl_p95)} p95")
    yield row("queue", f"{seconds(server.queue_mean)} mean")
    preempted = "-" if server.preemptions is None else counted(round(server.preemptions), "preemption")
    yield row("KV cache", f"{percent(server.kv_cache_usage)} used, {preempted}")
    yield row("prefix cache", f"{percent(server.prefix_cache_hit_rate)} of the prompt tokens found")


def _cost_lines(status: "Status") -> Iterator[str]:
    cost = status.cost
    if cost.per_hour is None:
        return
    machine = f" for {status.instance_type}" if status.instance_type else ""
    so_far = f", {dollars(cost.since_set_up)} since its set-up began" if cost.since_set_up is not None else ""
    yield row("cost", f"{dollars(cost.per_hour)} an hour{machine}{so_far}")
    if cost.per_million_output_tokens is not None:
        yield row(
            "",
            f"{dollars(cost.per_million_output_tokens)} per million output tokens, "
            f"{dollars(cost.per_million_tokens)} per million tokens in all, at the present rate",
        )


def start_line(start: dict[str, Any]) -> str:
    """One line of timeline.jsonl."""
    stages = start.get("stages")
    timed = stages.items() if isinstance(stages, dict) else ()
    parts = [f"{name} {took:.0f} s" for name, took in timed if isinstance(took, int | float)]
    known = [str(start[name]) for name in ("at", "model", "why", "result") if start.get(name)]
    whole = start.get("start")
    if isinstance(whole, int | float):
        known.append(f"{whole:.0f} s" + (f" ({', '.join(parts)})" if parts else ""))
    if isinstance(start.get("outage"), int | float):
        known.append(f"outage {start['outage']:.0f} s")
    known += [f"{name}: {start[name]}" for name in ("after", "trouble") if start.get(name)]
    return ", ".join(known)


def row(name: str, value: str) -> str:
    return f"{name:<{WIDTH}}{value}".rstrip()


def number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f} %"


def seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def dollars(value: float | None) -> str:
    """Cents, and more digits where cents say nothing."""
    if value is None:
        return "-"
    return f"${value:,.2f}" if value >= 0.1 or not value else f"${value:.4f}"


def duration(value: float | None) -> str:
    if value is None:
        return "-"
    minutes, left = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"
