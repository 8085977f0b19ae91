"""The life of a registered SSH key, with answers that get lost and people who work in the account besides."""

from collections.abc import Callable

import pytest

from components.dynamic.errors import ResourceError
from components.dynamic.inputs import Properties
from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.ssh_key.provider import SshKeyProvider
from components.machine.key_pair.provider import new_pair
from tests.support.emulated import PUBLIC_KEY, EmulatedCloud
from tests.support.orders import LOST_WRITES, ORDER

MARK = "0123abcd"
KEY: Properties = {"name_prefix": "dev", "mark": MARK, "public_key": PUBLIC_KEY}


def _names(cloud: EmulatedCloud) -> list[str]:
    return [key.name for key in cloud.client.ssh_keys()]


def test_a_key_is_registered_under_a_name_that_bears_the_mark_of_the_stack(plugin: EmulatedCloud) -> None:
    made = SshKeyProvider().create(KEY)
    assert made.outs is not None
    assert made.outs == {**KEY, "name": made.outs["name"]}
    (there,) = plugin.client.ssh_keys()
    assert (there.id, there.name, there.public_key) == (made.id, made.outs["name"], PUBLIC_KEY)
    assert there.name.startswith("dev-")
    assert there.name.endswith(f"-{MARK}")


def test_the_longest_prefix_makes_a_name_that_lambda_takes(plugin: EmulatedCloud) -> None:
    SshKeyProvider().create({**KEY, "name_prefix": "x" * 48})
    assert [len(name) for name in _names(plugin)] == [64]


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_the_key_is_registered_once(plugin: EmulatedCloud, fault: str) -> None:
    plugin.fault("create-ssh-key", fault)
    made = SshKeyProvider().create(KEY)
    assert [key.id for key in plugin.client.ssh_keys()] == [made.id]


def test_the_key_that_a_killed_run_registered_is_taken_over(plugin: EmulatedCloud) -> None:
    killed = LambdaClient(plugin.credentials.api_key, plugin.url, plugin.client._limiter)
    name = SshKeyProvider().create(KEY).outs["name"]  # type: ignore[index]
    SshKeyProvider().delete(plugin.client.ssh_keys()[0].id, {**KEY, "name": name})
    left = killed.add_ssh_key(name, PUBLIC_KEY)
    assert SshKeyProvider().create(KEY).id == left.id
    assert len(_names(plugin)) == 1


def test_a_key_that_was_removed_in_this_run_is_registered_again_though_an_older_list_shows_it(
    plugin: EmulatedCloud,
) -> None:
    first = SshKeyProvider().create(KEY)
    plugin.client.ssh_keys()
    SshKeyProvider().delete(first.id, first.outs or {})
    second = SshKeyProvider().create(KEY)
    assert [key.id for key in plugin.client.ssh_keys()] == [second.id]


def test_another_key_of_the_same_prefix_has_another_name_since_both_are_there_for_a_while(
    plugin: EmulatedCloud,
) -> None:
    SshKeyProvider().create(KEY)
    SshKeyProvider().create({**KEY, "public_key": new_pair("other")[1]})
    assert len(set(_names(plugin))) == 2


def test_somebody_elses_key_of_our_name_is_not_taken_for_ours(plugin: EmulatedCloud) -> None:
    other = new_pair("somebody")[1]
    made = SshKeyProvider().create(KEY)
    name = (made.outs or {})["name"]
    plugin.client.delete_ssh_key(made.id)
    plugin.client.add_ssh_key(name, other)
    with pytest.raises(ResourceError, match="exists in the account with another content"):
        SshKeyProvider().create(KEY)
    assert [key.public_key for key in plugin.client.ssh_keys()] == [other]


def test_a_refresh_sees_whether_the_key_is_there(plugin: EmulatedCloud) -> None:
    made = SshKeyProvider().create(KEY)
    assert SshKeyProvider().read(made.id, made.outs or {}).outs == made.outs
    plugin.client.delete_ssh_key(made.id)
    plugin.client.ssh_keys()
    assert SshKeyProvider().read(made.id, made.outs or {}).id == ""


def test_inputs_alone_are_enough_to_read_the_whole_key(plugin: EmulatedCloud) -> None:
    made = SshKeyProvider().create(KEY)
    assert SshKeyProvider().read(made.id, KEY).outs == made.outs


@pytest.mark.parametrize("fault", ["error-500", "error-503", "drop-before", "html", "truncated", "error-429"])
def test_an_api_that_fails_never_looks_like_a_key_that_is_gone(plugin: EmulatedCloud, fault: str) -> None:
    made = SshKeyProvider().create(KEY)
    plugin.fault("list-ssh-keys", fault, 100)
    with pytest.raises(ResourceError):
        SshKeyProvider().read(made.id, made.outs or {})


def test_another_comment_or_prefix_is_no_other_key() -> None:
    old = {**KEY, "name": "n"}
    commented = " ".join([*PUBLIC_KEY.split()[:2], "another comment"])
    assert SshKeyProvider().diff("1", old, {**KEY, "public_key": commented}).changes is False
    assert SshKeyProvider().diff("1", old, {**KEY, "name_prefix": "prod"}).changes is False
    assert SshKeyProvider().diff("1", old, {**KEY, "public_key": new_pair("")[1]}).replaces == ["public_key"]


def test_removing_a_key_that_is_gone_is_a_success(plugin: EmulatedCloud) -> None:
    SshKeyProvider().delete("f" * 32, {**KEY, "name": "n"})


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_the_key_is_removed(plugin: EmulatedCloud, fault: str) -> None:
    made = SshKeyProvider().create(KEY)
    plugin.fault("delete-ssh-key", fault)
    SshKeyProvider().delete(made.id, made.outs or {})
    assert _names(plugin) == []


def test_a_key_that_a_machine_still_holds_is_asked_for_again_until_it_is_free(
    cloud: EmulatedCloud, plugin: EmulatedCloud, end_at_first_pause: Callable[[str], None]
) -> None:
    made = SshKeyProvider().create(KEY)
    template = ORDER.template.model_copy(update={"ssh_key_names": [(made.outs or {})["name"]]})
    request = template.model_copy(
        update={"instance_type_name": "gpu_1x_gh200", "region_name": "us-east-3"},
    )
    end_at_first_pause(cloud.client.launch(request))
    SshKeyProvider().delete(made.id, made.outs or {})
    assert plugin.calls("delete-ssh-key") > 1
    assert _names(plugin) == ["key"]
