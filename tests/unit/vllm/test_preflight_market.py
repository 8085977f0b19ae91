"""Types, regions, images and filesystems that Lambda does not have: told under their own keys, with what it has."""

from typing import Any

import pytest

from components.settings import Settings
from components.vllm.preflight import Plan
from components.vllm.preflight.market_check import look
from components.vllm.preflight.plan_text import lines
from components.vllm.release.flags.files import SentFiles
from tests.support.emulated import EmulatedCloud

ARM64_STACK = "e57d5fc7-36e7-4f9a-953f-3429c1f7e3b7"
"""The image lambda-stack-24-04 for arm64."""


def found(cloud: EmulatedCloud, **wanted: Any) -> tuple[str, ...]:
    _, problems = look(Settings.model_validate({"lambdaApiKey": "x", **wanted}), cloud.client)
    return tuple(problems)


A10_IN_VIRGINIA = {"instanceTypes": ["gpu_1x_a10"], "regions": ["us-east-1"]}


def test_a_region_that_does_not_sell_the_type_is_told_as_that_with_those_that_have_it(cloud: EmulatedCloud) -> None:
    (line,) = found(cloud, regions=["us-west-1"])
    assert line == (
        "regions: us-west-1 does not sell gpu_1x_gh200: Lambda has no image for its architecture, arm64, there; "
        "regions that have it: us-east-3 (capacity now)"
    )


def test_it_is_told_of_each_type_and_whatever_the_image_is(cloud: EmulatedCloud) -> None:
    lines = found(cloud, instanceTypes=["gpu_1x_a10", "gpu_1x_h100_pcie"], regions=["us-east-3"], imageId="abc")
    assert [line.partition(":")[0] for line in lines] == ["regions", "regions"]
    assert "us-east-3 does not sell gpu_1x_a10: " in lines[0]
    assert lines[0].endswith("; regions that have it: us-east-1, us-south-2, us-west-1 (capacity now)")
    assert lines[1].endswith("; regions that have it: us-west-3 (capacity now)")


def test_several_regions_are_one_line_and_without_capacity_those_of_the_architecture_are_named(
    cloud: EmulatedCloud,
) -> None:
    cloud.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": []})
    try:
        (line,) = found(cloud, regions=["us-west-1", "us-west-2"])
    finally:
        cloud.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": ["us-east-3"]})
    assert line.startswith("regions: us-west-1 and us-west-2 do not sell gpu_1x_gh200: ")
    assert line.endswith("; regions that may have it: us-east-3 (none has capacity now)")


def test_where_one_type_is_sold_the_others_are_no_problem_and_marked_in_the_plan(cloud: EmulatedCloud) -> None:
    settings = Settings.model_validate(
        {
            "lambdaApiKey": "x",
            "instanceTypes": ["gpu_1x_gh200", "gpu_1x_a10"],
            "regions": ["us-east-3", "us-west-1"],
        }
    )
    market, problems = look(settings, cloud.client)
    assert problems == []
    told = "\n".join(lines(Plan(settings, None, market, (), SentFiles({}))))
    assert "gpu_1x_gh200 in us-east-3: $2.29 an hour, capacity now\n" in told
    assert "gpu_1x_gh200 in us-west-1: $2.29 an hour, no capacity now, and not sold there\n" in told
    assert "gpu_1x_a10 in us-east-3: $1.29 an hour, no capacity now, and not sold there\n" in told
    assert told.endswith("gpu_1x_a10 in us-west-1: $1.29 an hour, capacity now")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("gpu_1x_gh20", "gpu_1x_gh200"), ("gh200", "gpu_1x_gh200"), ("GPU-1x-GH200", "gpu_1x_gh200"),
     ("gpu_8x_h100", "gpu_8x_h100_sxm5")],
)  # fmt: skip
def test_a_misspelt_type_gets_the_nearest_one(cloud: EmulatedCloud, written: str, meant: str) -> None:
    (line,) = found(cloud, instanceTypes=[written])
    assert line.startswith(f"instanceTypes: Lambda has no instance type {written}; did you mean {meant}")


@pytest.mark.parametrize(
    ("written", "meant"), [("us-east3", "us-east-3"), ("US-EAST-3", "us-east-3"), ("us_east_3", "us-east-3"),
                           ("europe-central-2", "europe-central-1")]
)  # fmt: skip
def test_a_misspelt_region_gets_the_nearest_one(cloud: EmulatedCloud, written: str, meant: str) -> None:
    (line,) = found(cloud, regions=[written])
    assert line.startswith(f"regions: Lambda has no region {written}; did you mean {meant}")


def test_a_name_that_is_near_to_none_gets_all_of_them(cloud: EmulatedCloud) -> None:
    (line,) = found(cloud, regions=["mars"])
    assert "Lambda has no region mars; it has asia-northeast-1, " in line


def test_a_misspelt_image_gets_the_nearest_one(cloud: EmulatedCloud) -> None:
    (line,) = found(cloud, imageFamily="lambda-stack-2404")
    assert line == "imageFamily: Lambda has no image lambda-stack-2404; did you mean lambda-stack-24-04?"


def test_an_image_that_lies_elsewhere_is_told_with_where(cloud: EmulatedCloud) -> None:
    (line,) = found(cloud, **A10_IN_VIRGINIA, imageFamily="lambda-stack-legacy-22-04")
    assert line.startswith(
        "imageFamily: Lambda has no image lambda-stack-legacy-22-04 for x86_64 in us-east-1; it is in "
        "us-south-1, us-south-2"
    )


def test_an_image_of_another_architecture_is_told_as_that(cloud: EmulatedCloud) -> None:
    (line,) = found(cloud, **A10_IN_VIRGINIA, imageId=ARM64_STACK)
    assert line == (
        f"imageId: Lambda has no image {ARM64_STACK} for x86_64 in us-east-1; it is for arm64 only, and gpu_1x_a10 is "
        "x86_64"
    )
    (line,) = found(cloud, imageFamily="gpu-base-24-04")
    assert line.startswith(
        "imageFamily: Lambda has no image gpu-base-24-04 for arm64 in us-east-3; it is for x86_64 on"
    )


def test_a_filesystem_that_lies_in_another_region_is_told_before_a_machine_is_launched(cloud: EmulatedCloud) -> None:
    made = cloud.client.add_filesystem("weights", "us-west-1")
    try:
        (line,) = found(cloud, filesystem={"name": "weights"})
        assert line == (
            "filesystem: weights lies in us-west-1, not in us-east-3, and cannot move: name us-west-1 in regions, or "
            "another filesystem"
        )
        assert found(cloud, filesystem={"name": "others"}) == ()
        assert found(cloud, **{**A10_IN_VIRGINIA, "regions": ["us-west-1"]}, filesystem={"name": "weights"}) == ()
    finally:
        cloud.client.delete_filesystem(made.id)


def test_a_price_and_an_image_are_told_together(cloud: EmulatedCloud) -> None:
    lines = found(cloud, maxPricePerHour=1, imageFamily="lambda-stack-2404")
    assert [line.partition(":")[0] for line in lines] == ["maxPricePerHour", "imageFamily"]
