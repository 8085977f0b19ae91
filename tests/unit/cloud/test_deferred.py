"""How the program names the providers that the plugin loads."""

import base64
import pickle

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from components.cloud import boot, filesystem, firewall, global_rules, instance, launch_token, ssh_key, stack_mark
from components.cloud.deferred import Deferred
from components.cloud.provider import LambdaProvider
from components.machine import keys
from components.vllm import api_key

DECLARING = (
    api_key,
    boot,
    filesystem,
    firewall,
    global_rules,
    instance,
    keys,
    launch_token,
    ssh_key,
    stack_mark,
)


@pytest.mark.parametrize("reference", [module.PROVIDER for module in DECLARING], ids=lambda one: one.place)
def test_the_state_names_the_class_and_holds_no_code_and_no_settings(reference: Deferred) -> None:
    pickled = base64.b64decode(str(serialize_provider(reference)))
    # By value a class takes a thousand bytes and more, and changes with every edit.
    assert len(pickled) < 150
    provider = pickle.loads(pickled)  # our own
    assert isinstance(provider, LambdaProvider)
    assert f"{type(provider).__module__}:{type(provider).__name__}" == reference.place
    assert not vars(provider)
    assert reference.serialize_as_secret_always is provider.serialize_as_secret_always is False
