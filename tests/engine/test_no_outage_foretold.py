"""A machine that serves is not ended for one that could not be launched: that is judged as a first launch, beforehand.

What is "ours" and what is "replaced" is what the state and the provider's own comparison say, never a name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.limits import Limits, RateLimiter
from components.lambda_cloud.api.models import LaunchRequest
from tests.support.emulated import PUBLIC_KEY
from tests.support.local_cloud import LocalCloud
from tests.support.long import cases
from tests.support.polling import until
from tests.support.pulumi_project import Project, project

UP_TO_THE_MACHINE = (
    *("ModelPin::*", "KeyPair::*", "StackMark::*", "SshKey::*", "ChangeMarker::vllm-firewall-change"),
    *("FirewallRuleset::*", "LaunchToken::*", "lambdacloud:Instance::*", "lambdavllm:machine:GpuMachine::*"),
    "lambdavllm:index:VllmEndpoint::*",
)
CHEAPER_THAN_ANY = {"maxPricePerHour": 1}
TOO_DEAR = "maxPricePerHour: $1.00 is less than the cheapest"
NO_HUB = {"hfEndpoint": "http://127.0.0.1:1"}
INSTANCE = (
    "urn:pulumi:test::lambda-vllm::lambdavllm:index:VllmEndpoint$lambdavllm:machine:GpuMachine"
    "$pulumi-python:dynamic/lambdacloud:Instance::vllm-machine-instance"
)


@pytest.fixture
def made(api_cloud: LocalCloud, tmp_path: Path) -> Iterator[Project]:
    """The real program, and a cloud without machines behind its API."""
    with project(tmp_path, api_cloud) as one:
        one.configure(apiUrl=api_cloud.url, hfEndpoint=api_cloud.url)
        yield one


@pytest.fixture(scope="module")
def module_launched(session_api_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project(tmp_path_factory.mktemp("launched"), session_api_cloud) as one:
        one.configure(apiUrl=session_api_cloud.url, hfEndpoint=session_api_cloud.url)
        targets = [word for kind in UP_TO_THE_MACHINE for word in ("--target", f"**{kind}")]
        one.pulumi("up", "--yes", "--skip-preview", *targets)
        yield one


@pytest.fixture
def launched(module_launched: Project, api_cloud: LocalCloud) -> Iterator[Project]:
    """The same with its machine launched, which all but the last test of the file leave as it was."""
    yield module_launched
    asked = {name for replacing, _ in REPLACING.values() for name in replacing} | {"allowedCidrs"}
    module_launched.configure(**{**dict.fromkeys(asked), "hfEndpoint": api_cloud.url})


REPLACING: dict[str, tuple[dict[str, Any], str]] = {
    "tags": ({"tags": {"team": "search"}, **CHEAPER_THAN_ANY}, TOO_DEAR),
    "image-family": ({"imageFamily": "lambda-stack-25-04"}, "imageFamily: Lambda has no image lambda-stack-25-04"),
    "image-id": ({"imageId": "00000000-0000-4000-8000-000000000000"}, "imageId: Lambda has no image"),
    "filesystem": ({"filesystem": {"name": "weights", "retain": False}, **CHEAPER_THAN_ANY}, TOO_DEAR),
    "hub": ({"tags": {"team": "search"}, **NO_HUB}, "cannot reach the hub"),
    "region": ({"regions": ["us-west-1"], **CHEAPER_THAN_ANY}, TOO_DEAR),
}


# Nobody has launched anything yet. First, since the end of such a project empties the account.


def test_a_preview_of_a_launch_says_when_the_first_token_comes(made: Project) -> None:
    assert "first token about" in made.pulumi("preview").output


@pytest.mark.parametrize("wrong", cases({"price": CHEAPER_THAN_ANY, "hub": NO_HUB}.items(), {"price"}))
def test_a_machine_of_somebody_else_with_the_name_of_ours_excuses_nothing(
    made: Project, api_cloud: LocalCloud, wrong: dict[str, Any]
) -> None:
    """A colleague has a stack of the same name."""
    client = LambdaClient(api_cloud.api_key, api_cloud.url, RateLimiter(Limits(0, 0)))
    key = client.add_ssh_key("colleague", PUBLIC_KEY)
    theirs = client.launch(
        LaunchRequest(
            region_name="us-east-3",
            instance_type_name="gpu_1x_gh200",
            ssh_key_names=[key.name],
            name="lambda-vllm-test",
            image={"family": "lambda-stack-24-04"},
        )
    )
    try:
        api_cloud.forget_requests()
        made.configure(**wrong)
        for run in (made.pulumi("preview", succeeds=False), made.up(succeeds=False)):
            assert "cannot reach the hub" in run.output or TOO_DEAR in run.output
            assert "served so far" not in run.output
            assert "could not serve" not in run.output
        assert api_cloud.writes() == []
        # The component itself is a name in the state and nothing else.
        made_of = {kind for kind in made.resources() if not kind.startswith("pulumi:")}
        assert made_of <= {"lambdavllm:index:VllmEndpoint"}
    finally:
        client.terminate(theirs)
        until(lambda: not api_cloud.billing())
        client.delete_ssh_key(key.id)


# With the machine.


@pytest.mark.parametrize(("replacing", "told"), cases(REPLACING.items(), {"image-family", "hub"}))
def test_a_machine_is_not_ended_for_one_that_could_not_be_launched_and_the_preview_says_so(
    launched: Project, api_cloud: LocalCloud, replacing: dict[str, Any], told: str
) -> None:
    (machine,) = api_cloud.billing()
    launched.configure(**replacing)
    api_cloud.forget_requests()
    for run in (launched.pulumi("preview", succeeds=False), launched.up(succeeds=False)):
        assert told in run.output
        assert "no new machine can be launched" in run.output
        assert "Traceback" not in run.output
    assert api_cloud.billing() == [machine]
    assert not {"launch", "terminate"} & set(api_cloud.writes())


def test_a_replacement_that_the_user_orders_is_judged_as_well(launched: Project, api_cloud: LocalCloud) -> None:
    (machine,) = api_cloud.billing()
    launched.configure(**CHEAPER_THAN_ANY)
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        run = launched.pulumi(*command, "--replace", INSTANCE, succeeds=False)
        assert TOO_DEAR in run.output
    assert api_cloud.billing() == [machine]


def test_what_only_a_new_machine_needs_is_a_warning_while_the_machine_stays(
    launched: Project, api_cloud: LocalCloud
) -> None:
    """Closing a firewall waits for no price and no hub. Nothing is said of a launch that will not be."""
    launched.configure(allowedCidrs=["203.0.113.7/32"], **CHEAPER_THAN_ANY, **NO_HUB)
    preview = launched.pulumi("preview").output
    assert f"a new machine could not serve now: {TOO_DEAR}" in preview
    assert "a new machine could not serve now: cannot reach the hub" in preview
    assert "at the commit that this stack has served so far" in preview
    launched.configure(maxPricePerHour=None, hfEndpoint=api_cloud.url)
    preview = launched.pulumi("preview").output
    assert "could not serve" not in preview
    assert "first token about" not in preview


def test_a_machine_that_has_to_be_made_anew_after_its_end_is_judged_as_the_first(
    launched: Project, api_cloud: LocalCloud
) -> None:
    (machine,) = api_cloud.billing()
    LambdaClient(api_cloud.api_key, api_cloud.url, RateLimiter(Limits(0, 0))).terminate(machine)
    launched.refresh()
    launched.configure(**CHEAPER_THAN_ANY)
    assert TOO_DEAR in launched.pulumi("preview", succeeds=False).output
    assert TOO_DEAR in launched.up(succeeds=False).output
    assert api_cloud.billing() == []
