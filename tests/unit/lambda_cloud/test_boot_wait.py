"""Waiting for machines: until all of them can be used, and not a look longer than there is hope."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from components.dynamic.clock import Patience
from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.errors import CloudError, NoAnswerError
from components.lambda_cloud.api.launch_journal import LaunchJournal
from components.lambda_cloud.api.limits import Limits, RateLimiter
from components.lambda_cloud.api.models import Instance, InstanceType, Region, Specs, Tag
from components.lambda_cloud.boot_wait.poller import Awaited, BootError, Probe, wait_for_boot
from components.lambda_cloud.instance.launch_order import TOKEN_TAG
from tests.support.jumping_clock import JumpingClock

KIND = InstanceType(
    name="gpu_1x_gh200",
    description="",
    price_cents_per_hour=229,
    specs=Specs(vcpus=64, memory_gib=432, storage_gib=4096, gpus=1),
)
HOST_KEY = "ssh-ed25519 AAAA"
A, B = Awaited("a", HOST_KEY), Awaited("b", HOST_KEY)

Look = Sequence[Instance] | CloudError


def machine(id_: str, status: str = "booting", ip: str | None = None, token: str | None = None) -> Instance:
    tags = [Tag(key=TOKEN_TAG, value=token)] if token else []
    return Instance(id=id_, status=status, ip=ip, region=Region(name="us-east-3"), instance_type=KIND, tags=tags)


class Account(LambdaClient):
    """Shows one list after the other, the last one again and again; five seconds pass between two looks."""

    def __init__(self, clock: JumpingClock, looks: Sequence[Look]) -> None:
        super().__init__("key", "http://127.0.0.1:1", RateLimiter(Limits(), clock), LaunchJournal(None))
        self._looks: Iterator[Look] = iter(looks)
        self._last: Look = []
        self.looked = 0
        self.ended: list[str] = []
        self.end_fails = False

    def instances(self, since: float | None = None) -> list[Instance]:
        self.looked += 1
        self._last = next(self._looks, self._last)
        if isinstance(self._last, CloudError):
            raise self._last
        return list(self._last)

    def terminate(self, instance_id: str) -> None:
        self.ended.append(instance_id)
        if self.end_fails:
            raise NoAnswerError("terminate: no answer")

    def pause(self) -> None:
        self.clock.sleep(self.limits.poll_interval)


class SlowAccount(Account):
    """Each answer is under way for longer than a new machine is hidden."""

    def instances(self, since: float | None = None) -> list[Instance]:
        self.clock.sleep(self.limits.visible_within + 1)
        return super().instances(since)


class FakeSsh:
    """SSH at some addresses only; notes who was asked for what."""

    def __init__(self, *answering: str) -> None:
        self.answering = set(answering)
        self.asked: list[tuple[str, int, str | None]] = []

    def __call__(self, ip: str, port: int, key: str | None) -> str | None:
        self.asked.append((ip, port, key))
        return None if ip in self.answering else "no greeting yet"


def wait(
    account: Account, *awaited: Awaited, ssh: Probe | None = None, port: int | None = 22, timeout: float = 600
) -> list[str]:
    """Addresses of the machines."""
    patience = Patience(account.clock, timeout)
    booted = wait_for_boot(account, awaited or (A,), port, patience, ssh or FakeSsh("1", "2"))
    return [one.ip or "" for one in booted]


def test_it_is_over_when_all_have_an_address_and_answer_ssh_in_the_order_asked_for(clock: JumpingClock) -> None:
    account = Account(
        clock,
        [
            [machine("a"), machine("b")],
            [machine("a", ip="1"), machine("b")],
            [machine("b", ip="2"), machine("a", ip="1")],
        ],
    )
    ssh = FakeSsh("1", "2")
    assert wait(account, A, B, ssh=ssh, port=2222) == ["1", "2"]
    assert account.looked == 3
    assert set(ssh.asked) == {("1", 2222, HOST_KEY), ("2", 2222, HOST_KEY)}


def test_one_that_does_not_answer_yet_is_waited_for_although_lambda_calls_it_active(clock: JumpingClock) -> None:
    ssh = FakeSsh("1")

    def answers_later(ip: str, port: int, key: str | None) -> str | None:
        if ip == "2" and [one[0] for one in ssh.asked].count("2") == 3:
            ssh.answering.add("2")
        return ssh(ip, port, key)

    account = Account(clock, [[machine("a", "active", "1"), machine("b", "active", "2")]])
    assert wait(account, A, B, ssh=answers_later) == ["1", "2"]
    assert account.looked == 4


def test_a_machine_that_shows_while_an_answer_is_under_way_is_not_taken_for_gone(clock: JumpingClock) -> None:
    account = SlowAccount(clock, [[], [machine("a", "active", "1")]])
    assert wait(account) == ["1"]


def test_without_an_ssh_port_active_is_waited_for_and_nothing_is_connected_to(clock: JumpingClock) -> None:
    ssh = FakeSsh()
    account = Account(clock, [[machine("a", "booting", "1")], [machine("a", "active", "1")]])
    assert wait(account, ssh=ssh, port=None) == ["1"]
    assert (account.looked, ssh.asked) == (2, [])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("unhealthy", "calls it unhealthy, and it bills: run `pulumi refresh`, then `pulumi up`"),
        ("terminating", "somebody is terminating it: run `pulumi refresh`, then `pulumi up`"),
        ("terminated", "somebody terminated it: run `pulumi refresh`, then `pulumi up`"),
        ("preempted", "Lambda took it back: run `pulumi refresh`, then `pulumi up`"),
    ],
)
def test_a_machine_without_hope_ends_the_wait_at_once_with_what_to_do(
    clock: JumpingClock, status: str, said: str
) -> None:
    # With an address, too: it may have answered SSH a moment ago.
    for ip in (None, "1"):
        account = Account(clock, [[machine("a", status, ip), machine("b", "active", "2")]])
        with pytest.raises(BootError, match="instance a will not come up") as caught:
            wait(account, A, B)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
        assert account.looked == 1


def test_all_machines_without_hope_are_told_at_once(clock: JumpingClock) -> None:
    account = Account(clock, [[machine("a", "unhealthy"), machine("b", "preempted")]])
    with pytest.raises(BootError, match=r"instance a .*; instance b "):
        wait(account, A, B)


def test_many_machines_cost_one_list_a_look_and_are_tried_at_the_same_time(clock: JumpingClock) -> None:
    ids = [str(number) for number in range(12)]
    together = threading.Barrier(len(ids))

    def all_at_once(ip: str, port: int, key: str | None) -> str | None:
        together.wait(5)
        return None

    account = Account(clock, [[machine(one) for one in ids], [machine(one, ip=one) for one in ids]])
    assert wait(account, *(Awaited(one) for one in ids), ssh=all_at_once) == ids
    assert account.looked == 2


def test_a_machine_that_lambda_does_not_show_at_first_is_waited_for(clock: JumpingClock) -> None:
    account = Account(clock, [[]] * 12 + [[machine("a", ip="1")]])
    assert wait(account) == ["1"]


def test_a_machine_that_lambda_does_not_show_after_a_minute_is_gone(clock: JumpingClock) -> None:
    with pytest.raises(BootError, match="instance a is gone: run `pulumi refresh`, then `pulumi up`"):
        wait(Account(clock, [[]]))
    assert 60 <= sum(clock.slept) <= 70


def test_a_state_that_no_document_knows_goes_on_being_waited_for(clock: JumpingClock) -> None:
    account = Account(clock, [[machine("a", "migrating")]] * 30 + [[machine("a", "migrating", "1")]])
    assert wait(account) == ["1"]


def test_an_active_machine_without_an_address_is_waited_for(clock: JumpingClock) -> None:
    account = Account(clock, [[machine("a", "active")], [machine("a", "active", "1")]])
    assert wait(account, port=None) == ["1"]
    assert account.looked == 2


@pytest.mark.parametrize(
    ("look", "lacks"),
    [
        ([machine("a")], "a waits for an address (booting)"),
        ([machine("a", "active", "9")], "a waits for SSH on 9:22 (no greeting yet, active)"),
        (NoAnswerError("list instances: no answer"), "Lambda gives no answer"),
    ],
)
def test_the_deadline_ends_the_wait_with_what_is_lacking_and_what_to_do(
    clock: JumpingClock, look: Look, lacks: str
) -> None:
    with pytest.raises(BootError) as caught:
        wait(Account(clock, [look]), timeout=600)
    assert lacks in str(caught.value)
    assert "what is up bills: run `pulumi up` to wait on, or `pulumi destroy`" in str(caught.value)
    assert 600 <= sum(clock.slept) <= 610


def test_of_many_that_are_not_ready_some_are_named_and_the_others_counted(clock: JumpingClock) -> None:
    ids = [f"i{number}" for number in range(100)]
    with pytest.raises(BootError, match=r"i2 waits .*; and 97 more wait") as caught:
        wait(Account(clock, [[machine(one) for one in ids]]), *(Awaited(one) for one in ids), timeout=5)
    assert len(str(caught.value)) < 500


def test_a_short_outage_does_not_end_the_wait(clock: JumpingClock) -> None:
    account = Account(clock, [NoAnswerError("lost"), [machine("a")], NoAnswerError("lost"), [machine("a", ip="1")]])
    assert wait(account) == ["1"]


def test_a_surplus_machine_of_the_same_launch_is_ended_and_no_other(clock: JumpingClock) -> None:
    others = [
        machine("surplus", token="t"),
        machine("over", "terminating", token="t"),
        machine("somebody's"),
        machine("other launch", token="u"),
    ]
    account = Account(clock, [[machine("a", ip="1", token="t"), machine("b", ip="2"), *others]])
    assert wait(account, A, B) == ["1", "2"]
    assert account.ended == ["surplus"]


def test_a_surplus_machine_that_cannot_be_ended_yet_holds_nobody_up(
    clock: JumpingClock, capsys: pytest.CaptureFixture[str]
) -> None:
    account = Account(clock, [[machine("a", token="t"), machine("s", token="t")], [machine("a", ip="1", token="t")]])
    account.end_fails = True
    assert wait(account) == ["1"]
    assert "instance s could not be ended yet: terminate: no answer" in capsys.readouterr().out


def test_it_is_told_from_time_to_time_what_is_waited_for(
    clock: JumpingClock, capsys: pytest.CaptureFixture[str]
) -> None:
    wait(Account(clock, [[machine("a")]] * 7 + [[machine("a", ip="1")]]))
    assert capsys.readouterr().out.splitlines() == [
        "a waits for an address (booting), 15 s",
        "a waits for an address (booting), 30 s",
    ]
