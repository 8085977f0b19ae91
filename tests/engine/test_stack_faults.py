"""Whatever breaks while vLLM is installed and weights are downloaded, `pulumi up` again does what is left, and no more.

See `faulty_stack` for what is small here.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.engine.customer import until
from tests.engine.faulty_stack import MIDDLE, OTHERS, FaultyStack, faulty_stack, told
from tests.pulumi_project import Run


@pytest.fixture(scope="module")
def made_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    with pytest.MonkeyPatch.context() as environment:
        with faulty_stack(tmp_path_factory.mktemp("faulty"), environment) as made:
            yield made


@pytest.fixture
def stack(made_stack: FaultyStack) -> FaultyStack:
    """The stack with everything before it again, on the same machine."""
    made_stack.begin_anew()
    return made_stack


def assert_no_secret(stack: FaultyStack, run: Run) -> None:
    for secret in (stack.cloud.hf_token, stack.cloud.api_key, "PRIVATE KEY"):
        assert secret not in run.output + stack.logs()


def assert_up_again_ends_well(stack: FaultyStack) -> None:
    """With everything there, on the machine that was there, and nothing left to do."""
    again = stack.project.up()
    assert_no_secret(stack, again)
    assert told(again) == []
    assert stack.here() == stack.wanted
    assert stack.environment()[0].parent == stack.base / "venvs"
    for name in ("installed", "downloaded"):
        assert "done in" in stack.project.output(name)
    assert (stack.cloud.billing(), stack.cloud.calls("launch")) == ([stack.instance_id], 0)
    stack.project.pulumi("preview", "--expect-no-changes")


# What goes wrong by itself


@dataclass(frozen=True)
class Refusal:
    """How the hub goes wrong, and what is said of it."""

    kind: str
    line: str
    operation: str = "hub-file"
    after_files: int = 3


AGAIN = "6 times in a row: run `pulumi up` again"
REFUSALS = {
    "down-before-the-first-file": Refusal("hub-cut", f"the hub did not answer, or not to the end, {AGAIN}", "hub", 0),
    "cut-in-the-middle-of-a-file": Refusal("hub-truncated", f"the hub did not answer, or not to the end, {AGAIN}"),
    "429": Refusal("hub-429", f"the hub answered 429, {AGAIN}"),
    "500": Refusal("hub-500", f"the hub answered 500, {AGAIN}"),
    "503": Refusal("hub-503", f"the hub answered 503, {AGAIN}", "hub", 0),
    "token-revoked": Refusal("hub-401", "the hub refused the token (401), perhaps it was revoked: set hfToken"),
    "access-withdrawn": Refusal("hub-403", "accept the licence on the model's page"),
    "wrong-hash": Refusal("hub-wrong-bytes", "twice not what the hub says it is, by its hash"),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_when_only_the_download_failed_the_next_up_fetches_the_files_that_are_missing_and_installs_nothing(
    stack: FaultyStack, refusal: Refusal
) -> None:
    stack.let_hub(refusal.operation, refusal.kind, refusal.after_files)
    failed = stack.project.up(succeeds=False)
    (line,) = told(failed)
    assert line.startswith("download failed: ") and refusal.line in line
    assert_no_secret(stack, failed)
    left = stack.wanted - stack.here()
    assert len(stack.wanted) - len(left) >= refusal.after_files
    environment = stack.environment()
    stack.recover()
    stack.forget()
    assert_up_again_ends_well(stack)
    assert stack.fetched() == Counter(left)
    assert stack.was_begun_once("install")
    assert stack.environment() == environment
