"""How the program names the providers that the plugin loads."""

import base64
import pickle

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from components.dynamic.lazy_provider import LazyProvider
from components.dynamic.provider import DynamicProvider
from components.lambda_cloud.boot_wait import resource as boot
from components.lambda_cloud.filesystem import resource as filesystem
from components.lambda_cloud.firewall import resource as firewall
from components.lambda_cloud.global_rules import resource as global_rules
from components.lambda_cloud.instance import resource as instance
from components.lambda_cloud.launch_token import resource as launch_token
from components.lambda_cloud.ssh_key import resource as ssh_key
from components.lambda_cloud.stack_mark import resource as stack_mark
from components.machine.key_pair import resource as keys
from components.vllm.api_key import resource as api_key

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
def test_the_state_names_the_class_and_holds_no_code_and_no_settings(reference: LazyProvider) -> None:
    pickled = base64.b64decode(str(serialize_provider(reference)))
    # By value a class takes a thousand bytes and more, and changes with every edit.
    assert len(pickled) < 150
    provider = pickle.loads(pickled)  # our own
    assert isinstance(provider, DynamicProvider)
    assert f"{type(provider).__module__}:{type(provider).__name__}" == reference.place
    assert not vars(provider)
    assert reference.serialize_as_secret_always is provider.serialize_as_secret_always is False
