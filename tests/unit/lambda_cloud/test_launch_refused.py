"""What is not launched: what can never work, what costs too much, and what the account may not have."""

from dataclasses import replace

import pytest

from components.lambda_cloud.api.errors import ApiError
from components.lambda_cloud.api.models import LaunchRequest
from components.lambda_cloud.instance.candidates import Candidate, NoCandidateError, TooExpensiveError
from components.lambda_cloud.instance.launch import launch
from components.lambda_cloud.instance.launch_order import LaunchOrder
from localcloud.account.catalogue import IMAGES
from tests.support.emulated import EmulatedCloud
from tests.support.orders import GH200, H100, ORDER

PATIENT = replace(ORDER, candidates=(GH200,), capacity_timeout_s=60)
X86_IMAGE = next(image for image in IMAGES if image.architecture == "x86_64")


def _with(order: LaunchOrder, **template: object) -> LaunchOrder:
    return replace(order, template=order.template.model_copy(update=template))


@pytest.mark.parametrize("image", [{"family": "gpu-base-24-04"}, {"id": X86_IMAGE.id}])
def test_an_image_of_the_other_architecture_is_refused_before_anything_is_launched(
    cloud: EmulatedCloud, image: dict[str, str]
) -> None:
    with pytest.raises(NoCandidateError, match="needs an image for arm64") as caught:
        launch(cloud.client, _with(PATIENT, image=image))
    assert "nothing was" in str(caught.value)
    assert cloud.calls("launch") == 0


def test_an_image_that_only_some_candidates_have_leads_to_those(cloud: EmulatedCloud) -> None:
    assert launch(cloud.client, _with(ORDER, image={"family": "gpu-base-24-04"})).instance_type == H100.instance_type


def test_a_machine_is_launched_where_its_filesystem_lies(cloud: EmulatedCloud) -> None:
    filesystem = cloud.client.add_filesystem("data", H100.region)
    mount = {"mount_point": "/data/models", "file_system_id": filesystem.id}
    ways: list[dict[str, object]] = [{"file_system_names": ["data"]}, {"file_system_mounts": [mount]}]
    for number, wanted in enumerate(ways):
        order = replace(_with(ORDER, **wanted), token=str(number) * 32)
        assert launch(cloud.client, order).region == H100.region
    assert cloud.calls("launch") == 2


def test_with_filesystems_in_other_regions_nothing_is_launched_and_the_error_says_where_they_lie(
    cloud: EmulatedCloud,
) -> None:
    cloud.client.add_filesystem("data", "europe-central-1")
    with pytest.raises(NoCandidateError, match="the filesystem data lies in europe-central-1"):
        launch(cloud.client, _with(ORDER, file_system_names=["data"]))
    assert cloud.calls("launch") == 0


def test_a_filesystem_that_does_not_exist_is_named_and_nothing_is_launched(cloud: EmulatedCloud) -> None:
    with pytest.raises(NoCandidateError, match="there is no filesystem nowhere"):
        launch(cloud.client, _with(ORDER, file_system_names=["nowhere"]))
    assert cloud.calls("launch") == 0


def test_where_rules_have_no_effect_it_is_said_before_the_launch_that_every_port_is_open(
    cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    really_launch = cloud.client.launch

    def listen_and_launch(request: LaunchRequest, before_sending: object = None) -> str:
        said.append(capsys.readouterr().out)
        return really_launch(request)

    monkeypatch.setattr(cloud.client, "launch", listen_and_launch)
    launch(cloud.client, replace(ORDER, candidates=(Candidate("gpu_1x_a6000", "us-south-1"),)))
    launch(cloud.client, replace(ORDER, token="b" * 32))
    assert "us-south-1 ignores firewall rules: every port of this machine will be open to the world" in said[0]
    assert said[1].count("every port") == 0


def test_a_price_that_was_raised_after_the_list_was_read_is_noticed(cloud: EmulatedCloud) -> None:
    cloud.client.offers()
    cloud.control("PUT", "/prices", {"instance_type": GH200.instance_type, "price_cents_per_hour": 449})
    with pytest.raises(TooExpensiveError, match=r"\$4\.49"):
        launch(cloud.client, replace(PATIENT, max_price_cents_per_hour=229))
    assert cloud.calls("launch") == 0


def test_a_price_that_is_raised_while_waiting_for_capacity_ends_the_wait(
    cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.fault("launch", "insufficient-capacity")

    def raise_the_price() -> None:
        cloud.control("PUT", "/prices", {"instance_type": GH200.instance_type, "price_cents_per_hour": 230})

    monkeypatch.setattr(cloud.client, "pause", raise_the_price)
    with pytest.raises(TooExpensiveError):
        launch(cloud.client, replace(PATIENT, max_price_cents_per_hour=229))
    assert cloud.billing() == []


def test_the_price_at_the_launch_is_the_one_that_is_remembered(cloud: EmulatedCloud) -> None:
    cloud.client.offers()
    cloud.control("PUT", "/prices", {"instance_type": GH200.instance_type, "price_cents_per_hour": 199})
    assert launch(cloud.client, PATIENT).price_cents_per_hour == 199


def test_a_quota_that_is_used_up_ends_the_walk_with_what_to_do(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "quota-exceeded")
    with pytest.raises(ApiError, match="Terminate what you do not need, or ask Lambda's support") as caught:
        launch(cloud.client, replace(ORDER, capacity_timeout_s=60))
    assert "\n" not in str(caught.value)
    assert cloud.calls("launch") == 1
