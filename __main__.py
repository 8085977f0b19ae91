"""A model name in, an OpenAI-compatible endpoint on a GPU machine out: settings, preflight, endpoint, outputs."""

import gc
import os
import signal
from pathlib import Path

import pulumi

from components.endpoint import VllmEndpoint
from components.lambda_cloud.api.client import LambdaClient
from components.model.hub.client import Hub
from components.settings import KEYS, SettingsError, read_settings
from components.settings.unread import stack_file_text, unread_warnings
from components.text.version import VERSION
from components.vllm.preflight import PreflightError, survey
from components.vllm.preflight.announce import announce
from components.vllm.preflight.clock import is_behind
from components.vllm.programs import PROGRAMS


def leave_quietly(*_: object) -> None:
    """When a resource fails, the engine interrupts this program: the real error stays the last thing on the screen."""
    PROGRAMS.remove_written()
    os._exit(1)


signal.signal(signal.SIGINT, leave_quietly)

project, stack = pulumi.get_project(), pulumi.get_stack()
try:
    config, secret_keys = pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    stack_file = stack_file_text(Path.cwd(), stack)
    settings = read_settings(config, set(secret_keys), os.environ, project, stack_file)
    for line in unread_warnings(config, os.environ, project, KEYS, stack_file):
        pulumi.log.warn(line)
    client = LambdaClient(settings.lambda_api_key, settings.api_url)
    plan = survey(settings, client, Hub(settings.hf_endpoint, settings.hf_token))
except (SettingsError, PreflightError) as error:
    raise pulumi.RunError(str(error)) from None
announce(plan, client)

endpoint = VllmEndpoint("vllm", plan, clock_is_behind=is_behind(client.clock_ahead_s), in_account=f"{project}-{stack}")
for name, value in endpoint.outputs.items():
    pulumi.export(name, value)
pulumi.export("version", VERSION)
# Pulumi waits for the end of this process, in which Python would look through all that was loaded once more.
gc.freeze()
