"""Two models on two machines: endpoints with keys of their own, and one authority that clients of both trust.

`components` in this folder is a link to the folder of that name two levels up: Pulumi imports the resources from the
folder of the program. In a copy of this example, copy `components` beside it.
"""

import json
import os

import pulumi

from components.endpoint import VllmEndpoint
from components.lambda_cloud.api.client import LambdaClient
from components.model.hub.client import Hub
from components.settings import Settings, SettingsError, read_settings
from components.tls.authority.resource import CertificateAuthority
from components.vllm.preflight import PreflightError, survey
from components.vllm.preflight.announce import announce
from components.vllm.preflight.clock import is_behind

CLIENTS_NEED = ("endpoint", "reachable", "api_key", "model", "instance_id", "price_per_hour")

# What can be set, and the defaults, stand in Pulumi.yaml.
project, stack = pulumi.get_project(), pulumi.get_stack()
config, secret_keys = pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
endpoints = json.loads(config.pop(f"{project}:endpoints"))


def settings_of(own: dict[str, object]) -> Settings:
    """The keys of all endpoints, and over them those of one."""
    words = {f"{project}:{key}": word if isinstance(word, str) else json.dumps(word) for key, word in own.items()}
    # Pulumi tells of a value with a secret inside that all of it is one.
    secrets = {*secret_keys, *(words if f"{project}:endpoints" in secret_keys else ())}
    return read_settings({**config, **words}, secrets, os.environ, project)


# All of them are looked at before anything is made: nothing is launched beside a model that cannot be served.
try:
    common = settings_of({})
    client = LambdaClient(common.lambda_api_key, common.api_url)
    wanted = {name: settings_of(own) for name, own in endpoints.items()}
    plans = {name: survey(one, client, Hub(one.hf_endpoint, one.hf_token)) for name, one in wanted.items()}
except (SettingsError, PreflightError) as error:
    raise pulumi.RunError(str(error)) from None

clock_is_behind = is_behind(client.clock_ahead_s)
authority = CertificateAuthority("authority", {"name": f"{project}-{stack}", "clock_is_behind": clock_is_behind})
pulumi.export("ca_certificate", pulumi.Output.unsecret(authority.certificate))

# Each has a machine, a firewall and a key of its own; its name is a part of their names in the account.
for name, plan in plans.items():
    announce(plan, client)
    outputs = VllmEndpoint(name, plan, authority=authority).outputs
    for output in CLIENTS_NEED:
        pulumi.export(f"{name}_{output}", outputs[output])
