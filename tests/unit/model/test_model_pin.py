"""The commit that a stack serves stays until the user asks for another model or revision."""

from typing import Any

import pytest

from components.dynamic.errors import ResourceError
from components.dynamic.inputs import Properties
from components.model.pin.provider import ModelPinProvider

PINNED: Properties = {"model": "a/b", "revision": "main", "facts": '{"commit": "1"}', "problem": ""}


def changes(**inputs: Any) -> bool:
    result = ModelPinProvider().diff("pin", PINNED, {**PINNED, **inputs})
    assert result.replaces == []
    return bool(result.changes)


def test_a_branch_that_moved_changes_nothing() -> None:
    assert not changes(facts='{"commit": "2"}')


def test_a_hub_that_is_down_changes_nothing() -> None:
    assert not changes(facts="", problem="cannot reach the hub")


@pytest.mark.parametrize("asked", [{"model": "a/c"}, {"revision": "v2"}])
def test_another_model_or_revision_takes_what_was_found_of_it(asked: dict[str, str]) -> None:
    inputs = {**PINNED, **asked, "facts": '{"commit": "2"}'}
    assert changes(**inputs)
    outputs = ModelPinProvider().update("pin", PINNED, inputs).outs or {}
    assert outputs["facts"] == '{"commit": "2"}'


def test_another_model_that_the_hub_could_not_find_fails_with_the_hubs_reason() -> None:
    inputs = {**PINNED, "model": "a/c", "facts": "", "problem": "cannot reach the hub"}
    with pytest.raises(ResourceError, match="cannot reach the hub; nothing was changed"):
        ModelPinProvider().update("pin", PINNED, inputs)


def test_a_new_stack_is_not_begun_with_a_model_that_nobody_has_seen() -> None:
    with pytest.raises(ResourceError, match="cannot reach the hub"):
        ModelPinProvider().create({**PINNED, "facts": "", "problem": "cannot reach the hub"})


def test_a_new_stack_keeps_what_was_found() -> None:
    outputs = ModelPinProvider().create(PINNED).outs or {}
    assert outputs["facts"] == PINNED["facts"]


@pytest.mark.parametrize("asked", [{"model": "a/c"}, {"revision": "v2"}])
def test_going_back_gives_the_commit_that_was_served_before_though_the_branch_has_moved(asked: dict[str, str]) -> None:
    made = ModelPinProvider().create(PINNED).outs or {}
    other = ModelPinProvider().update("pin", made, {**PINNED, **asked, "facts": '{"commit": "2"}'}).outs or {}
    back = ModelPinProvider().update("pin", other, {**PINNED, "facts": '{"commit": "3"}'}).outs or {}
    assert back["facts"] == PINNED["facts"]
    assert not ModelPinProvider().diff("pin", back, {**PINNED, "facts": '{"commit": "3"}'}).changes
    # And forth.
    forth = ModelPinProvider().update("pin", back, {**PINNED, **asked, "facts": '{"commit": "4"}'}).outs or {}
    assert forth["facts"] == '{"commit": "2"}'


def after(*models: str) -> Properties:
    """The state after these models were asked for, one after the other."""
    state = ModelPinProvider().create(PINNED).outs or {}
    for model in models:
        found = {**PINNED, "model": model, "facts": '{"commit": "2"}'}
        state = ModelPinProvider().update("pin", state, found).outs or {}
    return state


def test_the_commit_that_was_served_before_several_changes_that_failed_is_remembered() -> None:
    back = (
        ModelPinProvider().update("pin", after("a/c", "a/d", "a/c"), {**PINNED, "facts": '{"commit": "3"}'}).outs or {}
    )
    assert back["facts"] == PINNED["facts"]


def test_a_few_pins_are_remembered_and_not_all() -> None:
    state = after(*(f"a/{number}" for number in range(20)))
    back = ModelPinProvider().update("pin", state, {**PINNED, "facts": '{"commit": "3"}'}).outs or {}
    assert back["facts"] == '{"commit": "3"}'
    assert len(str(state)) < 1000


def test_going_back_does_without_the_hub() -> None:
    inputs = {**PINNED, "facts": "", "problem": "cannot reach the hub"}
    state = after("a/c")
    assert not ModelPinProvider().check({**PINNED, "model": "a/c"}, inputs).failures
    assert ModelPinProvider().diff("pin", state, inputs).changes
    assert (ModelPinProvider().update("pin", state, inputs).outs or {})["facts"] == PINNED["facts"]


@pytest.mark.parametrize("asked", [{"model": "a/c"}, {"revision": "v2"}])
def test_a_preview_refuses_another_model_that_cannot_be_served(asked: dict[str, str]) -> None:
    """Also while a machine runs, where preflight only warns."""
    inputs = {**PINNED, **asked, "facts": "", "problem": "model a/c is gated"}
    with pytest.raises(ResourceError, match=r"^model a/c is gated; nothing was changed$"):
        ModelPinProvider().diff("pin", PINNED, inputs)


def test_a_preview_of_the_pinned_model_does_without_the_hub() -> None:
    inputs = {**PINNED, "facts": "", "problem": "cannot reach the hub"}
    assert not ModelPinProvider().check(PINNED, inputs).failures
    (failure,) = ModelPinProvider().check({}, inputs).failures
    assert "cannot reach the hub" in failure.reason


def test_a_stack_is_not_begun_with_what_could_not_be_launched_and_one_that_is_there_goes_on() -> None:
    news = {**PINNED, "obstacles": ["the price rose", "no such image"]}
    begun = ModelPinProvider().check({}, news)
    assert [failure.reason for failure in begun.failures] == ["the price rose", "no such image"]
    there = ModelPinProvider().check(PINNED, news)
    assert there.failures == []
    assert "obstacles" not in there.inputs
