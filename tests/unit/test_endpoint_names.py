"""What an endpoint's things in the account are called."""

import pytest

from components.endpoint import LONGEST_NAME, name_in_account


def test_a_name_says_whose_it_is() -> None:
    assert name_in_account("lambda-vllm", "dev", "small") == "lambda-vllm-dev-small"


@pytest.mark.parametrize("project", ["p" * 30, "p" * 45, "p" * 200])
def test_two_endpoints_of_a_stack_with_a_long_name_are_told_apart(project: str) -> None:
    small, large = (name_in_account(project, "production", name) for name in ("small", "large"))
    assert small != large
    assert small.endswith("-small")
    assert small.startswith(project[:30])
    assert max(len(small), len(large)) <= LONGEST_NAME


@pytest.mark.parametrize("length", [46, 47, 48, 100])
def test_a_name_that_leaves_no_room_is_cut_itself(length: int) -> None:
    name = name_in_account("lambda-vllm", "dev", "n" * length)
    assert len(name) <= LONGEST_NAME
    assert name.strip("-") == name
