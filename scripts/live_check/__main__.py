"""`scripts/live-check`: up, measure, destroy, report. Whatever happens, the machine is destroyed before the end."""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

if not __package__:
    sys.exit("live-check: start it as `python -m scripts.live_check`, in the folder that holds scripts/")

import requests

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.instance.launch_order import TOKEN_TAG
from components.model.hub.client import Hub
from components.settings import Settings, SettingsError, read_settings
from components.vllm.preflight import Plan, PreflightError, preflight
from components.vllm.preflight.plan_text import document, lines
from scripts.live_check import endpoint, machine
from scripts.live_check.options import LEAST_MINUTES, Options, read_options
from scripts.live_check.report import Report
from scripts.live_check.stack import FOLDER, PROJECT, LiveCheckError, Stack


def main(arguments: Sequence[str]) -> int:
    """0 when every promise held, 1 when one did not, 2 when nothing was begun."""
    options = read_options(arguments)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        # Whoever starts this with nohup wants a hang-up to change nothing.
        if signal.getsignal(ending) != signal.SIG_IGN:
            signal.signal(ending, signal.default_int_handler)
    try:
        stack = Stack()
        if stack.exists():
            say("an earlier check was not destroyed; that comes first")
            end(stack)
        settings, client = account(options)
        plan = preflight(settings, client, Hub(settings.hf_endpoint, settings.hf_token))
        minutes = options.minutes(dearest(plan))
        agree(options, plan, minutes)
        # Known before money is spent that it can be written.
        options.report.open("a").close()
    except (SettingsError, PreflightError, LiveCheckError) as error:
        print(f"live-check: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        # No Pulumi on PATH, a folder that cannot be written.
        print(f"live-check: {error.strerror}: {error.filename}; nothing was begun", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("live-check: interrupted before anything was begun", file=sys.stderr)
        return 2
    report = Report(f"Live check of {settings.model} on {', '.join(settings.instance_types)}")
    report.sections["plan"] = json.dumps(document(plan), indent=1)
    secrets = {"LAMBDA_API_KEY": settings.lambda_api_key, "HF_TOKEN": settings.hf_token}
    try:
        run(stack, options, plan, minutes, report, secrets, client)
    except LiveCheckError as error:
        report.check("nothing is left", holds=False, detail=str(error))
        print(f"live-check: {error}", file=sys.stderr)
    finally:
        options.report.write_text(report.text(secrets))
        say(f"report: {options.report.resolve()}")
    return 0 if report.holds else 1


def account(options: Options) -> tuple[Settings, LambdaClient]:
    """The settings of the stack, and the account that pays."""
    texts = {
        f"{PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in options.configuration.items()
    }
    settings = read_settings(texts, set(), os.environ, PROJECT)
    return settings, LambdaClient(settings.lambda_api_key, settings.api_url)


def dearest(plan: Plan) -> float:
    """Dollars an hour of the dearest machine that may be launched."""
    return max(plan.market.dollars_per_hour(one) for one in plan.candidates)


def agree(options: Options, plan: Plan, minutes: float) -> None:
    """Show what is going to happen, and ask."""
    print("\n".join(lines(plan)))
    if minutes < LEAST_MINUTES:
        raise LiveCheckError(f"${options.dollars:.2f} is not enough for {LEAST_MINUTES:.0f} minutes: raise --dollars")
    ahead = [one.get("minutes_to_first_token", 0.0) for one in document(plan)["machines"]]
    if ahead and min(ahead) > minutes:
        raise LiveCheckError(
            f"the first token is expected after {min(ahead):.0f} minutes, and ${options.dollars:.2f} is enough for "
            f"{minutes:.0f}: raise --dollars"
        )
    say(
        f"the machine is destroyed after {minutes:.0f} minutes at the latest, before it has cost ${options.dollars:.2f}"
    )
    if options.asks and not is_agreed():
        raise LiveCheckError("nothing was begun")


def is_agreed() -> bool:
    """The user's answer; without a terminal nobody has agreed."""
    try:
        return input("live-check: go on? [y/N] ").strip().lower() == "y"
    except EOFError:
        return False


def run(
    stack: Stack,
    options: Options,
    plan: Plan,
    minutes: float,
    report: Report,
    secrets: dict[str, Any],
    client: LambdaClient,
) -> None:
    """All of it; the end of the machine is in a `finally`."""
    stack.make(options.configuration)
    began = time.monotonic()
    try:
        up = stack.up(began + minutes * 60)
        report.check("`pulumi up` ends well", up, f"{(time.monotonic() - began) / 60:.1f} minutes")
        if up:
            with time_limit(began + minutes * 60):
                look(stack, plan, report, secrets)
    except (LiveCheckError, LookupError, ValueError, OSError, requests.RequestException) as error:
        report.check("the endpoint can be measured", holds=False, detail=f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        report.check("the check was not interrupted", holds=False)
    finally:
        end(stack)
        hours = (time.monotonic() - began) / 3600
        report.check(
            "the machine is gone", is_gone(client, stack.launch_tokens), f"at most ${hours * dearest(plan):.2f}"
        )


@contextlib.contextmanager
def time_limit(deadline: float) -> Iterator[None]:
    """Break off with a `LiveCheckError` at `deadline`, of `time.monotonic`, whatever is waited for."""

    def break_off(*_: object) -> None:
        raise LiveCheckError("the time that the money is enough for was over")

    before = signal.signal(signal.SIGALRM, break_off)
    # Zero would be no limit.
    signal.setitimer(signal.ITIMER_REAL, max(0.001, deadline - time.monotonic()))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def look(stack: Stack, plan: Plan, report: Report, secrets: dict[str, Any]) -> None:
    """Everything that a running machine can tell."""
    outputs = stack.outputs()
    secrets |= {name: outputs[name] for name in ("api_key", "ssh_private_key", "ip", "instance_id")}
    measured = endpoint.measure(outputs)
    report.check("the tutorial's question is answered", bool(measured.answer), repr(measured.answer))
    report.check("without the key there is no answer", measured.status_without_key == 401)
    fit = plan.type_fit(outputs["instance_type"]).fit
    bound = f" of at most {fit.tokens_per_second:.0f}" if fit else ""
    report.check(
        "one stream is served", measured.tokens_per_second > 0, f"{measured.tokens_per_second:.1f} tokens/s{bound}"
    )
    said = machine.ask(outputs)
    report.sections |= said
    found = machine.kv_cache_tokens(said["server"])
    if fit and fit.kv_tokens and found:
        off = found / fit.kv_tokens - 1
        report.check("the KV cache is as planned, within 3 %", abs(off) <= 0.03, f"{found:,} tokens, {off:+.1%}")
    if fit and fit.cpu_offload_gib:
        report.check("the offload took effect", "Total CPU offloaded parameters" in said["server"])
    report.sections["timeline"] = json.dumps(outputs["timeline"], indent=1)
    report.check("a second `pulumi up` would change nothing", stack.is_unchanged())


def end(stack: Stack) -> None:
    """Destroy, again and again until it succeeds or the user gives up."""
    for _ in range(5):
        if uninterrupted(stack.destroy):
            return
    raise LiveCheckError(
        f"pulumi destroy failed: THE MACHINE MAY STILL BILL. Run this check again, which destroys first, or look into "
        f"Lambda's console; the state is in {FOLDER.name}/"
    )


def uninterrupted(work: Callable[[], bool]) -> bool:
    """Ctrl-C, a hang-up or a polite kill while the machine is destroyed must not leave it."""
    before = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return work()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def is_gone(client: LambdaClient, tokens: set[str] | None) -> bool:
    """Whether the account has no machine with one of these launch tokens any more, by Lambda's own list. A machine of
    the same name may be somebody else's."""
    if tokens is None:
        return False
    try:
        return not any(one.tag(TOKEN_TAG) in tokens and not one.is_over for one in client.instances())
    except CloudError:
        return False


def say(line: str) -> None:
    """A line for the user."""
    print(f"live-check: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
