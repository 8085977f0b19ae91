"""Which of the acceptable machines can be had, and what is said of the others."""

from dataclasses import replace

import pytest

from components.lambda_cloud.api.models import Filesystem, Image, InstanceType, LaunchRequest, Offer, Region, Specs
from components.lambda_cloud.instance.candidates import (
    Candidate,
    Market,
    NoCandidateError,
    TooExpensiveError,
    select_candidates,
    table,
)

EAST, WEST = Region(name="us-east-3"), Region(name="us-west-3")
SPECS = Specs(vcpus=8, memory_gib=64, storage_gib=512, gpus=1)


def _offer(name: str, cents: int, regions: list[Region], architecture: str | None = None) -> Offer:
    kind = InstanceType(name=name, description=name, price_cents_per_hour=cents, specs=SPECS, architecture=architecture)
    return Offer(instance_type=kind, regions_with_capacity_available=regions)


def _image(id_: str, family: str, architecture: str, region: Region) -> Image:
    return Image(id=id_, family=family, version="1", architecture=architecture, region=region)


MARKET = Market(
    offers={
        "gpu_1x_gh200": _offer("gpu_1x_gh200", 229, [EAST]),
        "gpu_1x_h100": _offer("gpu_1x_h100", 329, [WEST], "x86_64"),
    },
    images=[
        _image("arm", "stack", "arm64", EAST),
        _image("x86", "stack", "x86_64", WEST),
        _image("old", "base", "x86_64", WEST),
    ],
    filesystems=[Filesystem(id="f", name="data", region=WEST), Filesystem(id="g", name="far", region=Region(name="x"))],
)
GH200, H100 = Candidate("gpu_1x_gh200", "us-east-3"), Candidate("gpu_1x_h100", "us-west-3")
BOTH = (GH200, H100)
TEMPLATE = LaunchRequest(
    region_name="", instance_type_name="", ssh_key_names=["k"], name="n", image={"family": "stack"}
)


def _with(**update: object) -> LaunchRequest:
    return TEMPLATE.model_copy(update=update)


def test_candidates_keep_their_order_and_capacity_rules_none_out_for_good() -> None:
    assert select_candidates((H100, GH200), TEMPLATE, None, MARKET).eligible == (H100, GH200)
    full = replace(MARKET, offers={"gpu_1x_gh200": _offer("gpu_1x_gh200", 229, [])})
    assert select_candidates((GH200,), TEMPLATE, None, full).eligible == (GH200,)
    assert not full.has_capacity(GH200)
    assert MARKET.has_capacity(GH200)
    assert not MARKET.has_capacity(Candidate("gpu_1x_gh200", "us-west-3"))


def test_the_highest_price_is_still_allowed_and_a_cent_more_is_not() -> None:
    assert select_candidates((GH200,), TEMPLATE, 229, MARKET).eligible == (GH200,)
    with pytest.raises(TooExpensiveError) as caught:
        select_candidates(BOTH, TEMPLATE, 228, MARKET)
    assert str(caught.value) == (
        "the cheapest candidate costs $2.29 an hour and the highest price allowed (maxPricePerHour) is $2.28: "
        "nothing was launched"
    )


def test_a_region_that_does_not_sell_the_type_is_told_with_those_that_have_it() -> None:
    with pytest.raises(NoCandidateError) as caught:
        select_candidates((Candidate("gpu_1x_gh200", "us-west-3"),), TEMPLATE, None, MARKET)
    assert str(caught.value).endswith(
        "gpu_1x_gh200 in us-west-3: needs an image for arm64, and the region has none at all, so it does not sell the "
        "type; it has capacity now in us-east-3"
    )


def test_one_that_is_ruled_out_does_not_rule_out_the_next_and_the_reason_is_kept() -> None:
    selection = select_candidates(BOTH, TEMPLATE, 300, MARKET)
    assert selection.eligible == (GH200,)
    assert table(selection.refused) == "gpu_1x_h100 in us-west-3: costs $3.29 an hour, above $3.00"


def test_an_image_has_to_be_there_for_the_architecture_and_in_the_region() -> None:
    assert select_candidates(BOTH, _with(image={"id": "arm"}), None, MARKET).eligible == (GH200,)
    assert select_candidates(BOTH, _with(image={"family": "base"}), None, MARKET).refused == {
        GH200: "needs an image for arm64, and base is none there"
    }
    both_in_east = replace(MARKET, images=[_image("old", "base", "x86_64", EAST)])
    with pytest.raises(NoCandidateError, match="base is none there, there it is for x86_64"):
        select_candidates((GH200,), _with(image={"family": "base"}), None, both_in_east)


def test_a_gh200_is_known_to_be_arm64_although_the_document_has_no_such_field() -> None:
    assert MARKET.kind(GH200).image_architecture == "arm64"
    assert MARKET.kind(H100).image_architecture == "x86_64"
    assert _offer("gpu_1x_gh200_next", 1, [], "x86_64").instance_type.image_architecture == "x86_64"


@pytest.mark.parametrize(
    "wanted",
    [
        {"file_system_names": ["data"]},
        {"file_system_mounts": [{"file_system_id": "f", "mount_point": "/data"}]},
    ],
)
def test_a_filesystem_rules_out_every_region_but_its_own(wanted: dict[str, object]) -> None:
    selection = select_candidates(BOTH, _with(**wanted), None, MARKET)
    assert selection.eligible == (H100,)
    assert selection.refused == {GH200: "the filesystem data lies in us-west-3"}


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"file_system_names": ["data", "nowhere"]}, "there is no filesystem nowhere"),
        ({"file_system_mounts": [{"file_system_id": "h", "mount_point": "/data"}]}, "there is no filesystem h"),
        ({"file_system_names": ["data", "far"]}, "the filesystem far lies in x"),
    ],
)
def test_filesystems_that_no_region_has_together_are_named(wanted: dict[str, object], reason: str) -> None:
    with pytest.raises(NoCandidateError, match=f"gpu_1x_h100 in us-west-3: {reason}"):
        select_candidates(BOTH, _with(**wanted), None, MARKET)


def test_a_type_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(NoCandidateError) as caught:
        select_candidates(
            (Candidate("gpu_1x_h200", "us-east-3"), Candidate("gpu_1x_h200", "us-west-3")), TEMPLATE, None, MARKET
        )
    assert str(caught.value) == "Lambda has no instance type gpu_1x_h200; it has gpu_1x_gh200, gpu_1x_h100"


def test_every_reason_is_told_when_nothing_is_left() -> None:
    with pytest.raises(NoCandidateError) as caught:
        select_candidates((*BOTH, Candidate("gpu_1x_h200", "us-east-3")), _with(image={"family": "none"}), None, MARKET)
    text = str(caught.value)
    assert "\n" not in text
    assert all(name in text for name in ("gpu_1x_gh200 in us-east-3", "gpu_1x_h100 in us-west-3"))
    assert "gpu_1x_h200 in us-east-3: Lambda has no such type" in text


def test_a_price_is_in_dollars() -> None:
    assert MARKET.price(GH200) == "$2.29"
