"""Preflight alone: what would `pulumi up` find, and what would it cost? Nothing is created.

python -m components.vllm.preflight --model meta-llama/Llama-3.1-70B-Instruct --instance-type gpu_1x_gh200
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

if not __package__:
    sys.exit("preflight: start it as `python -m components.vllm.preflight`, in the folder that holds components/")

from components.lambda_cloud.api.client import LambdaClient
from components.model.hub.client import Hub
from components.settings import KEYS, Settings, SettingsError, parse_flag, read_settings
from components.settings.unread import unread_warnings
from components.vllm.preflight import Plan, PreflightError, preflight
from components.vllm.preflight.clock import clock_lines
from components.vllm.preflight.plan_text import document, lines

PROJECT = "preflight"
FLAG_OF_KEY = {
    "model": "--model",
    "modelRevision": "--revision",
    "instanceTypes": "--instance-type",
    "regions": "--region",
    "maxModelLen": "--max-model-len",
    "cpuOffloadGb": "--cpu-offload-gb",
    "maxPricePerHour": "--max-price",
    "install": "--install",
    "vllmVersion": "--vllm-version",
    "driver": "--driver",
    "apiUrl": "--api-url",
    "hfEndpoint": "--hf-endpoint",
    "vllmArgs": "--vllm-arg",
}


def parser() -> argparse.ArgumentParser:
    """The command line; what is not given has the default of the stack configuration."""
    made = argparse.ArgumentParser(
        prog="python -m components.vllm.preflight",
        description="Says what `pulumi up` would find and cost. Creates nothing. Reads LAMBDA_API_KEY and HF_TOKEN.",
    )
    made.add_argument("--model", help="Hugging Face repository")
    made.add_argument("--revision", help="branch, tag or commit of the model")
    made.add_argument("--instance-type", action="append", help="acceptable type; may be given more than once")
    made.add_argument("--region", action="append", help="acceptable region; may be given more than once")
    made.add_argument("--max-model-len", help="context in tokens, or auto")
    made.add_argument("--cpu-offload-gb", help="GiB of weights in the machine's memory, or auto")
    made.add_argument("--max-price", help="US dollars an hour")
    made.add_argument("--install", help="wheel, source or precompiled")
    made.add_argument("--vllm-version", help="version of vLLM")
    made.add_argument("--driver", help="auto, compat, upgrade or keep")
    made.add_argument("--vllm-arg", action="append", metavar="FLAG=VALUE", help="flag of `vllm serve`, as in vllmArgs")
    made.add_argument("--api-url", help="Lambda's API")
    made.add_argument("--hf-endpoint", help="the Hugging Face hub")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def settings_of(options: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """The settings that the command line stands for; `SettingsError` as for a stack."""
    texts: dict[str, str] = {}
    for key, flag in FLAG_OF_KEY.items():
        value = getattr(options, flag.removeprefix("--").replace("-", "_"))
        if value is not None:
            texts[f"{PROJECT}:{key}"] = _text(key, value)
    return read_settings(texts, set(), environment, PROJECT)


def _text(key: str, value: Any) -> str:
    if key == "vllmArgs":
        return json.dumps(dict(map(parse_flag, value)))
    return value if isinstance(value, str) else json.dumps(value)


def main(arguments: Sequence[str]) -> int:
    """0 when all is well, 1 with a line for each finding, 2 when the command line is wrong."""
    options = parser().parse_args(arguments)
    try:
        settings = settings_of(options, os.environ)
        for line in unread_warnings((), os.environ, PROJECT, KEYS):
            print(f"warning: {line}", file=sys.stderr)
        client = LambdaClient(settings.lambda_api_key, settings.api_url)
        plan = preflight(settings, client, Hub(settings.hf_endpoint, settings.hf_token))
    except (SettingsError, PreflightError) as error:
        return _refuse(_in_the_words_of_the_command_line(str(error)), options.json)
    for note in plan.sent.notes:
        print(note, file=sys.stderr)
    _show(plan, clock_lines(client.clock_ahead_s), options.json)
    return 0


def _show(plan: Plan, of_clock: Sequence[str], as_json: bool) -> None:
    if not as_json:
        print("\n".join([*lines(plan), *of_clock]))
        return
    told = document(plan)
    print(json.dumps({**told, "warnings": [*told["warnings"], *of_clock], "problems": []}, indent=2))


def _refuse(text: str, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"problems": text.splitlines()}, indent=2))
    else:
        print(text, file=sys.stderr)
    return 1


def _in_the_words_of_the_command_line(text: str) -> str:
    for key, flag in FLAG_OF_KEY.items():
        text = text.replace(f"{PROJECT}:{key}:", f"{flag}:")
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
