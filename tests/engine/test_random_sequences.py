"""Whatever happens in whatever order, the next `up` or `destroy` ends with exactly what is asked for.

Random sequences of changes to the program, faults of the cloud, accidents behind Pulumi's back and commands, some of
them killed at a random moment. After each sequence: what stands in the way is taken away, `up` is run (after a
`refresh` where something was done by hand), and the account is compared with the state; then the same for `destroy`.

`SEQUENCES=200 python -m pytest -m long tests/engine/test_random_sequences.py -s` runs more than `make test-long`, and
says how many it ran.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.engine.conftest import FLEET_PROGRAM
from tests.support.account_state import assert_nothing_is_left, assert_state_knows_the_account
from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import project

SEQUENCES = int(os.environ.get("SEQUENCES", "20"))
STEPS = 6

ANYWHERE = ("drop-before", "drop-after", "error-429", "error-500", "error-500-after", "error-503", "error-409")
BODIES = ("html", "html-after", "truncated", "extra-fields")
OPERATIONS = (
    "launch",
    "list-instances",
    "instance-types",
    "terminate",
    "create-ssh-key",
    "delete-ssh-key",
    "create-firewall-ruleset",
    "delete-firewall-ruleset",
)
MACHINES = ("invisible", "boot-unhealthy", "boot-terminated", "boot-preempted", "insufficient-capacity")
BY_HAND = ("terminated", "preempted", "unhealthy")


class Sequences(RuleBasedStateMachine):
    """One stack and what happens to it."""

    cloud: ClassVar[LocalCloud]
    ran: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._clear_the_way()
        self.project = self._stack.enter_context(project(folder, self.cloud, FLEET_PROGRAM))
        self.count = 0
        self.by_hand = False

    @initialize(count=st.integers(0, 2))
    def begin(self, count: int) -> None:
        self.count = count
        self.project.configure(apiUrl=self.cloud.url, count=count, capacityTimeoutSeconds=1, bootTimeoutSeconds=15)

    @rule(count=st.integers(0, 3))
    def want_another_number(self, count: int) -> None:
        self.count = count
        self.project.configure(count=count)

    @rule(family=st.sampled_from(["lambda-stack-24-04", "lambda-stack-22-04"]))
    def want_another_image(self, family: str) -> None:
        self.project.configure(imageFamily=family)

    @rule(name=st.sampled_from(["fleet", "armada"]), cidr=st.sampled_from(["0.0.0.0/0", "203.0.113.7"]))
    def want_another_name_and_network(self, name: str, cidr: str) -> None:
        self.project.configure(name=name, cidrs=[cidr])

    @rule(operation=st.sampled_from(OPERATIONS), kind=st.sampled_from(ANYWHERE + BODIES), times=st.integers(1, 2))
    def let_calls_fail(self, operation: str, kind: str, times: int) -> None:
        self.cloud.fault(operation, kind, times)

    @rule(operation=st.sampled_from(OPERATIONS), kind=st.sampled_from(["delay-before", "delay-after"]))
    def let_a_call_take_long(self, operation: str, kind: str) -> None:
        self.cloud.fault(operation, kind, seconds=1.5)

    @rule(kind=st.sampled_from(MACHINES))
    def let_a_launch_go_wrong(self, kind: str) -> None:
        self.by_hand |= kind.startswith("boot-")
        self.cloud.fault("launch", kind, seconds=1.0 if kind == "invisible" else None)

    @precondition(lambda self: self.cloud.billing())
    @rule(data=st.data(), status=st.sampled_from(BY_HAND))
    def end_or_break_a_machine_by_hand(self, data: st.DataObject, status: str) -> None:
        self.by_hand = True
        victim = data.draw(st.sampled_from(sorted(self.cloud.billing())).map(lambda i: i), label="machine")
        self.cloud.control("PATCH", f"/instances/{victim}", {"status": status})

    @rule()
    def up(self) -> None:
        self.project.up(succeeds=None)

    @rule()
    def destroy(self) -> None:
        self.project.destroy(succeeds=None)

    @rule()
    def refresh(self) -> None:
        self.project.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates", succeeds=None)

    @rule(command=st.sampled_from(["up", "up", "destroy"]), seconds=st.floats(0.8, 5.0), plugins_too=st.booleans())
    def kill(self, command: str, seconds: float, plugins_too: bool) -> None:
        at = time.monotonic() + seconds
        self.project.kill_when(command, lambda: time.monotonic() > at, plugins_too=plugins_too, may_end=True)

    def teardown(self) -> None:
        with self._stack:
            self._clear_the_way()
            if self.by_hand:
                self.project.refresh()
            self.project.up()
            assert_state_knows_the_account(self.project, self.cloud, self.count)
            self.project.destroy()
            assert_nothing_is_left(self.project, self.cloud)
        type(self).ran += 1

    def _clear_the_way(self) -> None:
        self.cloud.control("DELETE", "/faults")
        self.cloud.forget_requests()


@pytest.fixture
def sequences(session_api_cloud: LocalCloud) -> Iterator[type[Sequences]]:
    """The machine, bound to the cloud of the session."""
    Sequences.cloud = session_api_cloud
    Sequences.ran = 0
    yield Sequences
    print(f"{Sequences.ran} random sequences ran")


@pytest.mark.timeout(3600 * 6 if SEQUENCES > 20 else 900)
@pytest.mark.parametrize("count", [1, pytest.param(SEQUENCES, marks=pytest.mark.long)])
def test_after_any_sequence_account_and_state_are_equal(sequences: type[Sequences], count: int) -> None:
    run_state_machine_as_test(
        sequences,
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            deadline=None,
            # A failing sequence is shown as it was: trying shorter ones takes longer than reading it.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
    assert sequences.ran >= count
