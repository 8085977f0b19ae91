"""Whatever breaks while vLLM is installed and weights are downloaded, `pulumi up` again does what is left, and no more.

See `small_components` for what is small here. A test lets one kind of thing go wrong in every stage, one `up` after the
other, so that each `up` begins with what the last one has left; then one ends well. What each job by itself makes of
most of these: test_download.py, test_install_on_gpu.py.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from components.on_machine.diagnose.failures import DISK_FULL, NETWORK_DOWN
from localcloud.machines.small_disk import can_mount
from tests.support.faulty_stack import HUB_CLIENT, FaultyStack, faulty_stack, told
from tests.support.long import cases
from tests.support.polling import until
from tests.support.pulumi_project import Run
from tests.support.small_components import MIDDLE

SLOW_S = 300.0
"""Longer than a test, for what is ended in its middle."""


@pytest.fixture(scope="module")
def made_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    with (
        pytest.MonkeyPatch.context() as environment,
        faulty_stack(tmp_path_factory.mktemp("faulty"), environment) as made,
    ):
        yield made


@pytest.fixture
def stack(made_stack: FaultyStack) -> FaultyStack:
    """The stack with everything before it again, on the same machine."""
    made_stack.begin_anew()
    return made_stack


def assert_says(stack: FaultyStack, failed: Run, *wanted: str) -> None:
    """One line for each job that failed, and no secret."""
    lines = sorted(told(failed))
    assert len(lines) == len(wanted), failed.output
    for line, part in zip(lines, wanted, strict=True):
        assert part in line
    assert "Traceback" not in failed.output
    assert_no_secret(stack, failed)


def assert_no_secret(stack: FaultyStack, run: Run) -> None:
    for secret in (stack.cloud.hf_token, stack.cloud.api_key, "PRIVATE KEY"):
        assert secret not in run.output + stack.logs()


def assert_up_ends_well(stack: FaultyStack) -> None:
    """With everything there, on the machine that was there."""
    run = stack.project.up()
    assert_no_secret(stack, run)
    assert stack.has_all_files()
    assert stack.environment()[0].parent == stack.base / "venvs"
    assert stack.project.output("install_seconds") >= 0
    assert stack.project.output("download_seconds") >= 0
    assert (stack.cloud.billing(), stack.cloud.calls("launch")) == ([stack.instance_id], 0)


# The hub

AGAIN = "6 times in a row: run `pulumi up` again"
SILENCE = f"the hub did not answer, or not to the end, {AGAIN}"


HUB_TROUBLE = {
    "down and busy": [("hub", "hub-cut", SILENCE), ("hub-file", "hub-429", f"the hub answered 429, {AGAIN}")],
    "broken": [("hub-file", "hub-503", f"the hub answered 503, {AGAIN}"), ("hub-file", "hub-truncated", SILENCE)],
}


@pytest.mark.parametrize("trouble", cases(HUB_TROUBLE.items(), {"down and busy"}))
def test_when_the_hub_is_down_or_busy_every_up_goes_on_with_the_files_that_are_missing_and_installs_nothing_twice(
    stack: FaultyStack, trouble: list[tuple[str, str, str]]
) -> None:
    for operation, kind, line in trouble:
        here = stack.here()
        stack.forget()
        stack.let_hub(operation, kind, after_files=1 if operation == "hub-file" else 0)
        assert_says(stack, stack.project.up(succeeds=False), f"download failed: {line}")
        assert not set(stack.fetched()) & here
        assert len(stack.here()) > len(here) or operation == "hub"
        stack.recover()
    left, environment = stack.wanted - stack.here(), stack.environment()
    assert left
    stack.forget()
    assert_up_ends_well(stack)
    assert stack.fetched() == Counter(left)
    assert stack.was_begun_once("install")
    assert stack.environment() == environment
    stack.project.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_a_revoked_token_a_withdrawn_access_and_a_wrong_file_end_the_up_at_once_and_the_next_goes_on(
    stack: FaultyStack,
) -> None:
    stack.let_hub("hub-file", "hub-403", after_files=1)
    assert_says(stack, stack.project.up(succeeds=False), "download failed: the hub does not give")
    stack.recover()
    environment, here = stack.environment(), stack.here()
    assert here
    stack.project.set_environment(HF_TOKEN="hf_revoked")
    stack.forget()
    assert_says(stack, stack.project.up(succeeds=False), "download failed: the hub refused the token (401), perhaps it")
    assert "trying again" not in stack.logs()
    assert stack.here() == here
    stack.project.set_environment(HF_TOKEN=stack.cloud.hf_token)
    stack.let_hub("hub-file", "hub-wrong-bytes", after_files=1)
    failed = stack.project.up(succeeds=False)
    assert_says(stack, failed, "twice not what the hub says it is, by its hash")
    assert not set(stack.fetched()) & here
    stack.recover()
    left = stack.wanted - stack.here()
    assert left
    stack.forget()
    assert_up_ends_well(stack)
    assert stack.fetched() == Counter(left)
    assert stack.was_begun_once("install")
    assert stack.environment() == environment


@pytest.mark.long
def test_what_passes_is_waited_out_by_one_up(stack: FaultyStack) -> None:
    for kind in ("hub-cut", "hub-429", "hub-500", "hub-503", "hub-truncated", "hub-wrong-bytes"):
        stack.cloud.fault("hub-file", kind)
    stack.cloud.fault("hub-file", "hub-slow", seconds=1)
    stack.mirror.cut(MIDDLE)
    stack.project.up()
    assert stack.has_all_files()
    assert stack.was_begun_once("install") and stack.was_begun_once("download")


# The registry


@pytest.mark.long
def test_when_the_registry_is_down_or_wrong_every_up_fetches_the_packages_that_are_missing(stack: FaultyStack) -> None:
    stack.remove_uv()
    stack.mirror.go_down()
    failed = stack.project.up(succeeds=False)
    silent = "the registry gives no uv=="
    assert_says(stack, failed, f"download failed: {silent}", f"install failed: {silent}")
    stack.recover()

    def lose_the_registry() -> None:
        stack.mirror.go_down()
        stack.mirror.release()

    stack.mirror.hold(MIDDLE)
    failed = stack.up_until(lambda: stack.is_in_the_middle() and stack.has_all_files(), lose_the_registry)
    assert_says(stack, failed, f"install failed: {NETWORK_DOWN}")
    stack.recover()
    stack.forget()
    stack.mirror.forget()
    stack.mirror.spoil(MIDDLE)
    failed = stack.project.up(succeeds=False)
    assert_says(stack, failed, f"install failed: {MIDDLE}==1.7.0 does not have the hash that was pinned")
    assert set(stack.mirror.sent()) == {MIDDLE}
    stack.recover()
    stack.mirror.forget()
    assert_up_ends_well(stack)
    assert stack.mirror.sent() == Counter([MIDDLE])
    assert stack.fetched() == Counter()


# Interruptions


def strike_in_the_middle(stack: FaultyStack, strike: Callable[[], None]) -> set[str]:
    """End the jobs while a package and a file of the model are on their way; the files that are left to be fetched."""
    stack.mirror.hold(MIDDLE)
    stack.let_hub("hub-file", "hub-slow", after_files=3, seconds=SLOW_S)
    failed = stack.up_until(lambda: stack.is_in_the_middle() and stack.here() and stack.has_part(), strike)
    assert_no_secret(stack, failed)
    stack.recover()
    left = stack.wanted - stack.here()
    assert 0 < len(left) < len(stack.wanted)
    stack.forget()
    stack.mirror.forget()
    return left


@pytest.mark.parametrize(
    "strike", cases({"reboot": FaultyStack.reboot, "kill": FaultyStack.kill_jobs}.items(), {"reboot"})
)
def test_after_a_reboot_or_a_kill_in_any_stage_the_next_up_fetches_only_what_was_not_whole(
    stack: FaultyStack, strike: Callable[[FaultyStack], None]
) -> None:
    stack.remove_uv()
    stack.mirror.hold("uv")
    failed = stack.up_until(lambda: stack.mirror.is_waited_for("uv"), stack.reboot)
    assert_no_secret(stack, failed)
    stack.recover()
    left = strike_in_the_middle(stack, lambda: strike(stack))
    stack.hold_proof()
    stack.up_until(lambda: stack.is_proving() and stack.has_all_files(), stack.reboot)
    assert stack.fetched() == Counter(left)
    assert stack.mirror.sent() == Counter([MIDDLE])
    stack.recover()
    stack.forget()
    stack.mirror.forget()
    assert_up_ends_well(stack)
    assert stack.fetched() == stack.mirror.sent() == Counter()


def test_an_up_that_is_killed_or_cut_off_in_any_stage_loses_nothing_and_the_jobs_are_begun_once(
    stack: FaultyStack,
) -> None:
    stack.remove_uv()
    stack.mirror.hold("uv")
    stack.mirror.hold(MIDDLE)
    stack.hold_proof()
    stack.project.kill_up_when(lambda: stack.mirror.is_waited_for("uv"))
    stack.mirror.release("uv")
    stack.project.kill_up_when(stack.is_in_the_middle)
    # With the second line that a job says, which comes at once when it is followed again.
    stack.cut_connections(after_bytes=60)
    failed = stack.project.up(succeeds=False)
    assert_no_secret(stack, failed)
    stack.cloud.control("DELETE", "/faults")
    stack.mirror.release(MIDDLE)
    # This time the plugin lives on, and follows the jobs.
    stack.project.kill_up_when(stack.is_proving, plugins_too=False)
    stack.recover()
    # Closed at once; that is dialled again.
    stack.cloud.fault("ssh-connect", "ssh-refuse", times=2)
    assert_up_ends_well(stack)
    assert stack.was_begun_once("install") and stack.was_begun_once("download")
    assert set(stack.mirror.sent().values()) == set(stack.fetched().values()) == {1}


# The disk


@pytest.mark.long
@pytest.mark.skipif(not can_mount(), reason="only root may mount")
def test_a_full_disk_is_said_and_with_room_again_the_next_up_goes_on(stack: FaultyStack) -> None:
    stack.shrink_disk(500_000_000)
    failed = stack.project.up(succeeds=False)
    assert_says(stack, failed, "download failed: 5", "install failed: 0.5 GB free on the machine's disk, vLLM needs")
    assert stack.fetched() == stack.mirror.sent() == Counter()
    stack.grow_disk()

    def fill() -> None:
        stack.mirror.release(HUB_CLIENT)
        until(stack.has_part, 60)
        stack.shrink_disk(0)
        stack.mirror.release()

    stack.remove_hub_client()
    stack.mirror.hold(HUB_CLIENT)
    stack.mirror.hold(MIDDLE)
    stack.let_hub("hub-file", "hub-slow", after_files=3, seconds=10)
    failed = stack.up_until(lambda: stack.is_in_the_middle() and stack.mirror.is_waited_for(HUB_CLIENT), fill)
    assert_says(stack, failed, "download failed: the machine's disk is full", f"install failed: {DISK_FULL}")
    stack.recover()
    left = stack.wanted - stack.here()
    stack.forget()
    stack.mirror.forget()
    assert_up_ends_well(stack)
    assert stack.fetched() == Counter(left)
    assert stack.mirror.sent() == Counter()
