"""What is known of the inputs is checked in a preview already, and everything that is wrong is said at once."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pulumi
import pytest
from pulumi.output import Unknown
from pydantic import Field

from components.dynamic.checking import Problem, check_inputs
from components.dynamic.inputs import Inputs, Part, Properties, written
from components.lambda_cloud.instance.inputs import InstanceInputs
from components.lambda_cloud.instance.provider import InstanceProvider

UNKNOWN = Unknown()  # type: ignore[no-untyped-call]

LAUNCH: Properties = {
    "instance_types": ["gpu_1x_gh200"],
    "regions": ["us-east-3"],
    "name": "test",
    "ssh_key_name": "key",
    "launch_token": "0" * 32,
    "image_family": "lambda-stack-24-04",
}


class Wheel(Part):
    """A part of a cart."""

    size: int = Field(gt=0)
    colour: str = "red"


class CartInputs(Inputs):
    """A made-up resource."""

    name: Annotated[str, written("[a-z]+", "a word of a-z")]
    wheels: list[Wheel] = Field(min_length=2)
    spare: Wheel | None = None
    labels: dict[Annotated[str, written("[a-z]+", "a word of a-z")], str] = Field(default_factory=dict)
    load: int = 10

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """A spare wheel is for people who carry something."""
        if given.get("spare") is not None and given.get("load") == 0:
            yield "an empty cart needs no spare wheel"


CART: Properties = {"name": "cart", "wheels": [{"size": 3}, {"size": 3}]}


def _reasons(**given: object) -> list[str]:
    return sorted(f"{one.name}|{one.reason}" for one in check_inputs(CartInputs, {**CART, **given})[1])


def test_all_wrong_inputs_are_told_at_once_each_with_its_place() -> None:
    assert _reasons(
        name="Cart 1", wheels=[{"size": 0}, {"size": 3, "spokes": 8}], labels={"BIG": "x"}, load="much", horn=1
    ) == [
        "horn|there is no such input",
        "labels|labels.BIG: has to be a word of a-z",
        "load|load: Input should be a valid integer, unable to parse string as an integer",
        "name|name: has to be a word of a-z",
        "wheels|wheels[0].size: Input should be greater than 0",
        "wheels|wheels[1].spokes: there is no such input",
    ]


def test_what_is_missing_is_told_too_also_in_a_part() -> None:
    problems = check_inputs(CartInputs, {"wheels": [{}, {"size": 1}]})[1]
    assert problems == [Problem("name", "is missing"), Problem("wheels", "wheels[0].size: is missing")]


def test_a_conflict_is_told_beside_other_problems() -> None:
    assert _reasons(spare={"size": 1}, load=0, name="?") == [
        "name|name: has to be a word of a-z",
        "|an empty cart needs no spare wheel",
    ]


@pytest.mark.parametrize("text", ["cart\n", "two\nlines", " cart", ""])
def test_a_form_is_that_of_the_whole_text(text: str) -> None:
    assert _reasons(name=text) == ["name|name: has to be a word of a-z"]


def test_a_reason_is_one_short_line_whatever_was_written() -> None:
    problems = check_inputs(CartInputs, {**CART, "labels": {"a\nb" + "c" * 5000: "x"}})[1]
    assert len(problems) == 1
    assert "\n" not in problems[0].reason
    assert len(problems[0].reason) < 150


def test_the_known_parts_of_a_partly_unknown_list_are_checked() -> None:
    assert _reasons(wheels=[{"size": UNKNOWN, "colour": 7}, {"size": -1, "colour": UNKNOWN}]) == [
        "wheels|wheels[0].colour: Input should be a valid string",
        "wheels|wheels[1].size: Input should be greater than 0",
    ]
    assert _reasons(wheels=[UNKNOWN, {"size": -1}]) == ["wheels|wheels[1].size: Input should be greater than 0"]


def test_the_known_parts_of_a_partly_unknown_object_are_checked() -> None:
    assert _reasons(labels={"fine": UNKNOWN, "BAD": "x"}) == ["labels|labels.BAD: has to be a word of a-z"]
    assert _reasons(labels={"BAD": UNKNOWN}) == ["labels|labels.BAD: has to be a word of a-z"]


@pytest.mark.parametrize(
    "given",
    [
        {"name": UNKNOWN},
        {"wheels": UNKNOWN},
        {"wheels": [UNKNOWN, UNKNOWN]},
        {"wheels": [{"size": UNKNOWN}, {"size": 1}]},
        {"spare": UNKNOWN},
        {"labels": {"fine": UNKNOWN}},
    ],
)
def test_what_is_unknown_is_no_problem_and_is_passed_on_with_the_defaults_of_the_others(given: Properties) -> None:
    checked, problems = check_inputs(CartInputs, {**CART, **given})
    assert problems == []
    assert checked["load"] == 10
    assert pulumi.contains_unknowns(checked)
    for name, value in given.items():
        assert checked[name] == value


def test_the_others_are_brought_into_their_form_beside_an_unknown_value() -> None:
    checked, _ = check_inputs(CartInputs, {**CART, "name": UNKNOWN, "load": 3.0})
    assert checked["wheels"] == [{"size": 3, "colour": "red"}, {"size": 3, "colour": "red"}]
    assert isinstance(checked["load"], int)
    assert "spare" not in checked


def test_conflicts_are_seen_although_other_values_are_unknown() -> None:
    assert _reasons(name=UNKNOWN, spare={"size": 1}, load=0) == ["|an empty cart needs no spare wheel"]


def _launch_reasons(**given: object) -> list[str]:
    return [one.reason for one in check_inputs(InstanceInputs, {**LAUNCH, **given})[1]]


def test_a_bad_mount_point_is_found_in_a_preview_that_does_not_know_the_filesystem() -> None:
    reasons = _launch_reasons(filesystem_mounts=[{"filesystem_id": UNKNOWN, "mount_point": "/etc"}])
    assert len(reasons) == 1
    assert reasons[0].startswith("filesystem_mounts[0].mount_point: has to be /home, /lambda/nfs or /data")


def test_a_mount_point_given_twice_is_found_in_a_preview_that_does_not_know_the_filesystems() -> None:
    mounts = [{"filesystem_id": UNKNOWN, "mount_point": point} for point in ("/data/a", "/data/a/")]
    assert _launch_reasons(filesystem_mounts=mounts) == ["filesystem_mounts: /data/a is a mount point twice"]


def test_two_images_and_a_doubled_candidate_are_found_although_the_key_is_unknown() -> None:
    reasons = _launch_reasons(
        ssh_key_name=UNKNOWN, user_data=UNKNOWN, image_id="0" * 32, regions=["us-east-3", "us-east-3"]
    )
    assert reasons == ["give either image_family or image_id", "regions: us-east-3 is named twice"]


def test_an_image_that_is_unknown_yet_is_an_image() -> None:
    assert _launch_reasons(image_family=UNKNOWN) == []
    assert _launch_reasons(image_family=UNKNOWN, image_id="0" * 32) == ["give either image_family or image_id"]


@pytest.mark.parametrize("given", ["x" * 1_000_001, 7.5, ["the private host key"], {"key": "the private host key"}])
def test_no_reason_holds_a_secret_and_none_bears_the_name_beside_which_the_engine_would_print_it(
    given: object,
) -> None:
    failures = InstanceProvider().check({}, {**LAUNCH, "user_data": given, "name": "x" * 65}).failures
    about_secret = [one for one in failures if "user_data" in one.reason]
    assert [one.property for one in about_secret] == [""]
    assert [one.property for one in failures if one not in about_secret] == ["name"]
    assert not any("private host key" in one.reason or "xxxx" in one.reason for one in failures)
