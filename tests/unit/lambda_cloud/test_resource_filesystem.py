"""The life of a filesystem: data that outlives machines is never deleted unless it was made for the stack."""

from collections.abc import Callable

import pytest

from components.dynamic.errors import ResourceError
from components.dynamic.inputs import Properties
from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.filesystem.provider import FilesystemProvider
from tests.support.emulated import EmulatedCloud
from tests.support.orders import GH200, LOST_WRITES, ORDER

DATA: Properties = {"name": "data", "region": "us-east-3", "retain": False, "mark": "0" * 8}


def _names(cloud: EmulatedCloud) -> list[str]:
    return [one.name for one in cloud.client.filesystems()]


def test_a_filesystem_is_made_and_says_where_it_is_mounted(plugin: EmulatedCloud) -> None:
    made = FilesystemProvider().create(DATA)
    assert made.outs == {**DATA, "mount_point": "/lambda/nfs/data", "bytes_used": 0, "created": True}
    assert [(one.id, one.region.name) for one in plugin.client.filesystems()] == [(made.id, "us-east-3")]


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_one_filesystem_is_made_and_is_known_to_be_ours(
    plugin: EmulatedCloud, fault: str
) -> None:
    plugin.fault("create-filesystem", fault)
    made = FilesystemProvider().create(DATA)
    assert [one.id for one in plugin.client.filesystems()] == [made.id]
    assert (made.outs or {})["created"] is True


def test_a_filesystem_that_was_there_is_taken_over_with_what_it_costs(
    plugin: EmulatedCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = plugin.client.add_filesystem("data", "us-east-3")
    made = FilesystemProvider().create(DATA)
    assert (made.id, (made.outs or {})["created"]) == (earlier.id, False)
    assert "took over filesystem data in us-east-3: 0.0 GB stored, $0.00 a month" in capsys.readouterr().out
    assert plugin.calls("create-filesystem") == 1


def test_a_filesystem_of_the_name_in_another_region_is_an_error_that_says_where_it_lies(
    plugin: EmulatedCloud,
) -> None:
    plugin.client.add_filesystem("data", "us-west-3")
    with pytest.raises(ResourceError, match="data lies in us-west-3, not in us-east-3, and cannot move"):
        FilesystemProvider().create(DATA)


def test_a_filesystem_that_was_removed_in_this_run_is_made_again_though_an_older_list_shows_it(
    plugin: EmulatedCloud,
) -> None:
    first = FilesystemProvider().create(DATA)
    plugin.client.filesystems()
    FilesystemProvider().delete(first.id, first.outs or {})
    second = FilesystemProvider().create({**DATA, "region": "us-west-3"})
    assert [one.id for one in plugin.client.filesystems()] == [second.id]


def test_a_quota_that_is_used_up_is_an_error_with_what_to_do(plugin: EmulatedCloud) -> None:
    plugin.fault("create-filesystem", "quota-exceeded")
    with pytest.raises(ResourceError, match="ask Lambda's support for a higher quota"):
        FilesystemProvider().create(DATA)


@pytest.mark.parametrize("retain", [True, False])
def test_only_what_was_made_for_the_stack_and_is_not_to_be_kept_is_deleted(
    plugin: EmulatedCloud, capsys: pytest.CaptureFixture[str], retain: bool
) -> None:
    made = FilesystemProvider().create({**DATA, "retain": retain})
    FilesystemProvider().delete(made.id, made.outs or {})
    assert _names(plugin) == (["data"] if retain else [])
    assert ("kept filesystem data in us-east-3 (retain is set)" in capsys.readouterr().out) is retain


def test_what_was_there_before_is_never_deleted(plugin: EmulatedCloud, capsys: pytest.CaptureFixture[str]) -> None:
    plugin.client.add_filesystem("data", "us-east-3")
    made = FilesystemProvider().create(DATA)
    FilesystemProvider().delete(made.id, made.outs or {})
    assert _names(plugin) == ["data"]
    assert "kept filesystem data in us-east-3 (it was there before this stack)" in capsys.readouterr().out
    assert plugin.calls("delete-filesystem") == 0


@pytest.mark.parametrize("mark", [DATA["mark"], "f" * 8])
def test_what_a_killed_run_of_this_stack_made_is_its_own_and_of_no_other_stack(
    plugin: EmulatedCloud, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    def killed(*_: object) -> None:
        plugin.client.add_filesystem("data", "us-east-3")
        raise KeyboardInterrupt

    with monkeypatch.context() as run, pytest.raises(KeyboardInterrupt):
        run.setattr("components.lambda_cloud.filesystem.provider.settle", killed)
        FilesystemProvider().create(DATA)
    # The next run is another process: it has no list from before.
    plugin.client.filesystems()
    made = FilesystemProvider().create({**DATA, "mark": mark})
    assert (made.outs or {})["created"] is (mark == DATA["mark"])


@pytest.mark.parametrize("said", [{}, {"created": True}, {"retain": False}])
def test_a_state_that_does_not_say_that_it_may_go_keeps_it(plugin: EmulatedCloud, said: Properties) -> None:
    there = plugin.client.add_filesystem("data", "us-east-3")
    FilesystemProvider().delete(there.id, {"name": "data", "region": "us-east-3", "mark": "0" * 8, **said})
    assert _names(plugin) == ["data"]


def test_whether_it_is_kept_can_be_changed_at_any_time(plugin: EmulatedCloud) -> None:
    made = FilesystemProvider().create({**DATA, "retain": True})
    diff = FilesystemProvider().diff(made.id, made.outs or {}, DATA)
    assert (diff.changes, diff.replaces) == (True, [])
    changed = FilesystemProvider().update(made.id, made.outs or {}, DATA).outs or {}
    assert changed["created"] is True
    FilesystemProvider().delete(made.id, changed)
    assert _names(plugin) == []


@pytest.mark.parametrize("change", [{"name": "other"}, {"region": "us-west-3"}])
def test_it_cannot_be_renamed_or_moved(change: Properties) -> None:
    assert FilesystemProvider().diff("1", {**DATA, "created": True}, {**DATA, **change}).replaces == list(change)


@pytest.mark.parametrize("created", [True, False])
def test_a_refresh_does_not_forget_who_made_it(plugin: EmulatedCloud, created: bool) -> None:
    made = FilesystemProvider().create(DATA)
    outs = {**(made.outs or {}), "created": created}
    assert FilesystemProvider().read(made.id, outs).outs == outs


def test_inputs_alone_are_enough_to_read_it_and_then_it_is_nobodys_to_delete(plugin: EmulatedCloud) -> None:
    made = FilesystemProvider().create(DATA)
    read = FilesystemProvider().read(made.id, DATA).outs or {}
    assert read == {**(made.outs or {}), "created": False}


def test_one_that_is_gone_leaves_the_state_and_a_second_removal_is_a_success(plugin: EmulatedCloud) -> None:
    made = FilesystemProvider().create(DATA)
    FilesystemProvider().delete(made.id, made.outs or {})
    plugin.client.filesystems()
    assert FilesystemProvider().read(made.id, made.outs or {}).id == ""
    FilesystemProvider().delete(made.id, made.outs or {})
    FilesystemProvider().delete(made.id, {**(made.outs or {}), "retain": True})


@pytest.mark.parametrize("fault", ["error-500", "drop-before", "html", "error-429"])
def test_an_api_that_fails_never_looks_like_a_filesystem_that_is_gone(plugin: EmulatedCloud, fault: str) -> None:
    made = FilesystemProvider().create(DATA)
    plugin.fault("list-filesystems", fault, 100)
    with pytest.raises(ResourceError):
        FilesystemProvider().read(made.id, made.outs or {})


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_it_is_deleted(plugin: EmulatedCloud, fault: str) -> None:
    made = FilesystemProvider().create(DATA)
    plugin.fault("delete-filesystem", fault)
    FilesystemProvider().delete(made.id, made.outs or {})
    assert _names(plugin) == []


def test_one_that_a_machine_still_mounts_is_asked_for_again_until_it_is_free(
    cloud: EmulatedCloud, plugin: EmulatedCloud, end_at_first_pause: Callable[[str], None]
) -> None:
    made = FilesystemProvider().create(DATA)
    instance = cloud.client.launch(ORDER.request(GH200).model_copy(update={"file_system_names": ["data"]}))
    end_at_first_pause(instance)
    FilesystemProvider().delete(made.id, made.outs or {})
    assert plugin.calls("delete-filesystem") > 1
    assert _names(plugin) == []


def test_a_run_after_a_killed_one_finds_the_filesystem(plugin: EmulatedCloud) -> None:
    killed = LambdaClient(plugin.credentials.api_key, plugin.url, plugin.client._limiter)
    left = killed.add_filesystem("data", "us-east-3")
    assert FilesystemProvider().create(DATA).id == left.id
