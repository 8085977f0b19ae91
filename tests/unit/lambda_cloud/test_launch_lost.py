"""Launches whose answer is lost, that show late, or that a killed run has left: never a second machine."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.errors import CloudError, NoAnswerError
from components.lambda_cloud.api.models import LaunchRequest
from components.lambda_cloud.instance.launch import launch
from components.lambda_cloud.launch_token.provider import LaunchTokenProvider
from tests.support.emulated import EmulatedCloud
from tests.support.orders import GH200, H100, ORDER, TOKEN

INVISIBLE_S = 2.0
"""Less than the time after which a launched machine is in the list, or does not exist."""

PATIENT = replace(ORDER, candidates=(GH200,), capacity_timeout_s=60)


def _lose_the_first_answer(client: LambdaClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The launch is carried out, and nobody hears of it."""
    really_launch = client.launch
    lost: list[str] = []

    def launch_and_lose(request: LaunchRequest, before_sending: Callable[[], None] = lambda: None) -> str:
        id_ = really_launch(request, before_sending)
        if not lost:
            lost.append(id_)
            raise NoAnswerError("launch: no answer")
        return id_

    monkeypatch.setattr(client, "launch", launch_and_lose)


def _other_run(cloud: EmulatedCloud) -> LambdaClient:
    """A program of its own on the same computer: it shares the notes, and nothing else."""
    return LambdaClient(cloud.credentials.api_key, cloud.url, cloud.client._limiter)


def test_a_lost_launch_whose_machine_shows_late_is_waited_for_and_taken_over(
    cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.fault("launch", "invisible", seconds=INVISIBLE_S)
    _lose_the_first_answer(cloud.client, monkeypatch)
    launched = launch(cloud.client, PATIENT)
    assert cloud.billing() == [launched.instance_id]
    assert cloud.calls("launch") == 1


@pytest.mark.parametrize("fault", ["drop-after", "error-500-after", "html-after", "truncated"])
def test_whatever_becomes_of_the_answer_one_machine_is_bought(cloud: EmulatedCloud, fault: str) -> None:
    cloud.fault("launch", fault)
    launched = launch(cloud.client, PATIENT)
    assert cloud.billing() == [launched.instance_id]
    assert cloud.calls("launch") == 1


def test_a_run_after_a_killed_one_waits_for_the_machine_that_was_under_way(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "invisible", seconds=INVISIBLE_S)
    killed = cloud.client
    first = killed.launch(PATIENT.request(GH200), before_sending=lambda: killed.journal.note_sent(TOKEN))
    launched = launch(_other_run(cloud), PATIENT)
    assert launched.instance_id == first
    assert cloud.calls("launch") == 1


def test_the_end_of_a_token_waits_for_the_machine_that_a_killed_run_had_under_way(
    cloud: EmulatedCloud, plugin: EmulatedCloud
) -> None:
    cloud.fault("launch", "invisible", seconds=INVISIBLE_S)
    killed = _other_run(cloud)
    killed.launch(PATIENT.request(GH200), before_sending=lambda: killed.journal.note_sent(TOKEN))
    LaunchTokenProvider().delete(TOKEN, {"token": TOKEN})
    assert cloud.billing() == []
    assert plugin.client.journal.last(TOKEN) is None


def test_of_two_machines_of_one_token_one_is_kept_and_the_other_ended(
    cloud: EmulatedCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {cloud.client.launch(ORDER.request(GH200)) for _ in range(2)}
    launched = launch(cloud.client, ORDER)
    assert cloud.billing() == [launched.instance_id]
    assert launched.instance_id in both
    assert f"ending instance {(both - {launched.instance_id}).pop()}" in capsys.readouterr().out
    assert cloud.calls("launch") == 2


def test_the_machine_that_fits_is_the_one_that_is_kept(cloud: EmulatedCloud) -> None:
    cloud.client.launch(ORDER.request(H100))
    fitting = cloud.client.launch(ORDER.request(GH200))
    assert launch(cloud.client, replace(ORDER, candidates=(GH200,))).instance_id == fitting
    assert cloud.billing() == [fitting]


def _launch_times(cloud: EmulatedCloud) -> list[float]:
    return [entry["time"] for entry in cloud.requests() if entry["operation"] == "launch"]


@pytest.mark.parametrize("fault", ["drop-before", "error-500", "error-503", "html"])
def test_a_launch_that_failed_is_sent_again_only_when_no_machine_can_come_of_it_any_more(
    cloud: EmulatedCloud, fault: str
) -> None:
    cloud.fault("launch", fault)
    launched = launch(cloud.client, PATIENT)
    assert cloud.billing() == [launched.instance_id]
    first, second = _launch_times(cloud)
    assert second - first >= cloud.client.limits.visible_within


def test_in_the_time_in_which_a_lost_launch_may_still_show_no_other_candidate_is_tried(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "drop-before")
    with pytest.raises(CloudError):
        launch(cloud.client, ORDER)
    assert cloud.calls("launch") == 1
    assert cloud.billing() == []


def test_a_refused_launch_leaves_nothing_to_wait_for(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "quota-exceeded")
    with pytest.raises(CloudError):
        launch(cloud.client, ORDER)
    note = cloud.client.journal.last(TOKEN)
    assert note is not None
    assert note.is_settled
