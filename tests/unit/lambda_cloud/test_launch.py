"""Getting one machine, and never two."""

import sys
from dataclasses import replace

import pytest

from components.dynamic.engine import EngineGoneError
from components.lambda_cloud.api.errors import ApiError, CloudError
from components.lambda_cloud.instance import launch as launching
from components.lambda_cloud.instance.candidates import TooExpensiveError
from components.lambda_cloud.instance.launch import NoCapacityError, launch
from components.lambda_cloud.instance.launch_order import LaunchOrder
from components.lambda_cloud.instance.termination import NotTerminatedError, terminate_instance
from components.lambda_cloud.launch_token.provider import LaunchTokenProvider, instances_with_token
from tests.support.emulated import EmulatedCloud
from tests.support.orders import GH200, H100, ORDER, TOKEN


def test_the_first_candidate_with_capacity_is_launched_with_its_price(cloud: EmulatedCloud) -> None:
    launched = launch(cloud.client, ORDER)
    assert (launched.instance_type, launched.region) == ("gpu_1x_gh200", "us-east-3")
    assert launched.price_cents_per_hour == 229
    assert cloud.billing() == [launched.instance_id]


def test_the_ruleset_of_the_region_goes_with_the_launch(cloud: EmulatedCloud) -> None:
    ruleset = cloud.client.add_ruleset("r", "us-east-3", [])
    launched = launch(cloud.client, replace(ORDER, rulesets={"us-east-3": ruleset.id, "us-west-3": "another"}))
    assert [one.instance_ids for one in cloud.client.rulesets()] == [[launched.instance_id]]


def test_a_candidate_without_listed_capacity_is_not_even_asked_for(cloud: EmulatedCloud) -> None:
    cloud.control("PUT", "/capacity", {"instance_type": GH200.instance_type, "regions": []})
    assert launch(cloud.client, ORDER).instance_type == H100.instance_type
    assert cloud.calls("launch") == 1


def test_listed_capacity_that_turns_out_not_to_be_there_leads_to_the_next_candidate(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "insufficient-capacity")
    assert launch(cloud.client, ORDER).instance_type == H100.instance_type


def test_without_capacity_until_the_deadline_the_error_has_a_reason_for_each_candidate(cloud: EmulatedCloud) -> None:
    cloud.control("PUT", "/capacity", {"instance_type": GH200.instance_type, "regions": []})
    cloud.fault("launch", "insufficient-capacity", 100)
    with pytest.raises(NoCapacityError) as caught:
        launch(cloud.client, ORDER)
    assert "gpu_1x_gh200 in us-east-3: no capacity listed" in str(caught.value)
    assert "gpu_1x_h100_pcie in us-west-3: listed, but refused" in str(caught.value)
    assert cloud.billing() == []


def test_capacity_that_comes_before_the_deadline_is_taken(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "insufficient-capacity", 2)
    launched = launch(cloud.client, replace(ORDER, candidates=(GH200,), capacity_timeout_s=60))
    assert cloud.billing() == [launched.instance_id]
    assert cloud.calls("launch") == 3


def test_lost_launch_reply_never_buys_a_second_machine(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "drop-after")
    launched = launch(cloud.client, ORDER)
    assert cloud.billing() == [launched.instance_id]
    assert cloud.calls("launch") == 1


@pytest.mark.parametrize("fault", ["drop-before", "error-500"])
def test_a_launch_without_an_answer_is_left_to_the_next_run_when_no_machine_appears(
    cloud: EmulatedCloud, fault: str
) -> None:
    cloud.fault("launch", fault)
    with pytest.raises(CloudError, match="run `pulumi up` again"):
        launch(cloud.client, ORDER)
    assert cloud.calls("launch") == 1
    assert launch(cloud.client, ORDER).instance_id in cloud.billing()
    assert len(cloud.billing()) == 1


def test_a_machine_of_an_earlier_run_is_taken_over(cloud: EmulatedCloud) -> None:
    first = launch(cloud.client, ORDER)
    assert launch(cloud.client, ORDER) == first
    assert cloud.calls("launch") == 1


@pytest.mark.parametrize(
    "wanted",
    [
        replace(ORDER, candidates=(H100,)),
        replace(ORDER, template=ORDER.template.model_copy(update={"user_data": "#cloud-config"})),
        replace(ORDER, template=ORDER.template.model_copy(update={"image": {"family": "lambda-stack-22-04"}})),
    ],
)
def test_a_machine_of_an_earlier_run_that_is_not_what_is_wanted_now_is_ended(
    cloud: EmulatedCloud, wanted: LaunchOrder
) -> None:
    first = launch(cloud.client, ORDER)
    second = launch(cloud.client, wanted)
    assert second.instance_id != first.instance_id
    assert cloud.billing() == [second.instance_id]


def test_a_broken_machine_of_an_earlier_run_is_ended_and_another_one_launched(cloud: EmulatedCloud) -> None:
    first = launch(cloud.client, ORDER)
    cloud.control("PATCH", f"/instances/{first.instance_id}", {"status": "unhealthy"})
    second = launch(cloud.client, ORDER)
    assert cloud.billing() == [second.instance_id] != [first.instance_id]


def test_another_name_is_no_reason_to_end_a_machine(cloud: EmulatedCloud) -> None:
    first = launch(cloud.client, ORDER)
    renamed = replace(ORDER, template=ORDER.template.model_copy(update={"name": "other"}))
    assert launch(cloud.client, renamed) == first


def test_a_launch_that_the_edge_turned_away_is_tried_again_within_the_deadline(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "error-429")
    launched = launch(cloud.client, replace(ORDER, candidates=(GH200,), capacity_timeout_s=60))
    assert cloud.billing() == [launched.instance_id]


def test_a_short_outage_does_not_end_the_wait_for_capacity(cloud: EmulatedCloud) -> None:
    cloud.fault("instance-types", "drop-before", 10)
    launched = launch(cloud.client, replace(ORDER, capacity_timeout_s=60))
    assert cloud.billing() == [launched.instance_id]


def test_the_end_of_a_launch_token_takes_every_machine_that_carries_it(
    cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(cloud.client, ORDER)
    monkeypatch.setattr(LaunchTokenProvider, "client", cloud.client)
    LaunchTokenProvider().delete(TOKEN, {"token": TOKEN})
    assert cloud.billing() == []


def test_a_machine_that_ended_is_not_taken_over(cloud: EmulatedCloud) -> None:
    first = launch(cloud.client, ORDER)
    cloud.control("PATCH", f"/instances/{first.instance_id}", {"status": "terminated"})
    second = launch(cloud.client, ORDER)
    assert cloud.billing() == [second.instance_id]


def test_a_machine_of_somebody_else_is_never_taken_over(cloud: EmulatedCloud) -> None:
    launch(cloud.client, ORDER)
    second = launch(cloud.client, replace(ORDER, token="b" * 32))
    assert len(cloud.billing()) == 2
    assert second.instance_id in cloud.billing()


def test_the_price_is_checked_against_the_live_one_and_nothing_is_launched_above_the_limit(
    cloud: EmulatedCloud,
) -> None:
    with pytest.raises(TooExpensiveError, match=r"\$2\.29.*\$1\.00"):
        launch(cloud.client, replace(ORDER, max_price_cents_per_hour=100))
    assert cloud.calls("launch") == 0


def test_only_candidates_within_the_price_limit_are_tried(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "insufficient-capacity", 100)
    with pytest.raises(NoCapacityError) as caught:
        launch(cloud.client, replace(ORDER, max_price_cents_per_hour=229))
    assert "gpu_1x_h100_pcie in us-west-3: costs $3.29 an hour, above $2.29" in str(caught.value)
    assert cloud.calls("launch") == 1


def test_a_refusal_other_than_capacity_ends_the_walk_at_once(cloud: EmulatedCloud) -> None:
    template = ORDER.template.model_copy(update={"ssh_key_names": ["unknown"]})
    with pytest.raises(ApiError, match="object-does-not-exist"):
        launch(cloud.client, replace(ORDER, template=template, capacity_timeout_s=60))
    assert cloud.calls("launch") == 1


def test_a_plugin_whose_engine_is_gone_launches_nothing(cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens on port 1.
    monkeypatch.setattr(sys, "argv", ["plugin", "127.0.0.1:1"])
    with pytest.raises(EngineGoneError):
        launch(cloud.client, ORDER)
    assert cloud.calls("launch") == 0


def test_the_end_of_a_machine_is_waited_for(cloud: EmulatedCloud) -> None:
    launched = launch(cloud.client, ORDER)
    terminate_instance(cloud.client, launched.instance_id)
    assert cloud.billing() == []
    assert instances_with_token(cloud.client, TOKEN) == []


def test_ending_a_machine_that_is_gone_is_a_success(cloud: EmulatedCloud) -> None:
    terminate_instance(cloud.client, "f" * 32)


def test_a_lost_reply_to_terminate_is_asked_again(cloud: EmulatedCloud) -> None:
    launched = launch(cloud.client, ORDER)
    cloud.fault("terminate", "drop-before", 2)
    terminate_instance(cloud.client, launched.instance_id)
    assert cloud.billing() == []


def test_an_end_that_the_cloud_does_not_confirm_is_an_error_that_says_it_may_bill(cloud: EmulatedCloud) -> None:
    launched = launch(cloud.client, ORDER)
    cloud.fault("terminate", "drop-before", 1000)
    with pytest.raises(NotTerminatedError, match="may still be billing"):
        terminate_instance(cloud.client, launched.instance_id, timeout_s=0.1)


def test_waiting_for_capacity_says_so_and_what_was_refused(
    cloud: EmulatedCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "REPORT_INTERVAL_S", 0.0)
    cloud.fault("launch", "insufficient-capacity", 1)
    launch(cloud.client, replace(ORDER, candidates=(GH200,), capacity_timeout_s=60))
    assert "waiting for capacity" in capsys.readouterr().out
