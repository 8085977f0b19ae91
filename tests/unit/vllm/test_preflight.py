"""What is told before a machine is rented."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.cloud.client import LambdaClient
from components.cloud.limits import Limits, RateLimiter
from components.settings import Settings
from components.vllm.hub import Hub, HubError
from components.vllm.preflight import PreflightError, preflight
from tests.unit.conftest import Script
from tests.unit.emulated import EmulatedCloud, emulated_cloud

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedCloud]:
    with emulated_cloud(Path(tmp_path_factory.mktemp("cloud"))) as running:
        yield running


def plan_lines(cloud: EmulatedCloud, token: str | None = None, **wanted: Any) -> str:
    settings = Settings.model_validate({"lambdaApiKey": "x", **wanted})
    hub = Hub(cloud.url, cloud.credentials.hf_token if token is None else token)
    return "\n".join(preflight(settings, cloud.client, hub).lines)


def problems(cloud: EmulatedCloud, token: str | None = None, **wanted: Any) -> list[str]:
    with pytest.raises(PreflightError) as caught:
        plan_lines(cloud, token, **wanted)
    return str(caught.value).splitlines()


def test_the_plan_shows_the_commit_and_each_candidate_with_price_and_capacity(cloud: EmulatedCloud) -> None:
    lines = plan_lines(cloud, instanceTypes=["gpu_1x_gh200"], regions=["us-east-3", "us-west-1"])
    assert f"model {LLAMA} at " in lines
    assert "gpu_1x_gh200 in us-east-3: $2.29 an hour, capacity now" in lines
    assert "gpu_1x_gh200 in us-west-1: $2.29 an hour, no capacity now" in lines


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"instanceTypes": ["gpu_1x_gh300"]}, "instanceTypes: Lambda has no instance type gpu_1x_gh300"),
        ({"regions": ["us-east-9"]}, "regions: Lambda has no region us-east-9"),
        ({"regions": ["us-south-1"]}, "us-south-1 ignores firewall rules"),
        ({"maxPricePerHour": 1.5}, "maxPricePerHour: $1.50 is less than the cheapest"),
        ({"model": "meta-llama/Llama-9-8B"}, "model meta-llama/Llama-9-8B does not exist"),
        ({"modelRevision": "v9"}, "has no revision v9"),
        ({"modelRevision": "refs/pr/1"}, "has no revision refs/pr/1"),
        ({"imageFamily": "gpu-base-24-04"}, "no image gpu-base-24-04 for arm64 in us-east-3"),
        ({"imageId": "abc"}, "imageId: Lambda has no image abc"),
    ],
)
def test_what_would_fail_later_is_told_in_one_line(cloud: EmulatedCloud, wanted: dict[str, Any], told: str) -> None:
    found = problems(cloud, **wanted)
    assert len(found) == 1
    assert told in found[0]


def test_everything_that_is_wrong_is_told_at_once(cloud: EmulatedCloud) -> None:
    found = problems(cloud, instanceTypes=["a"], regions=["b"], model="c/d")
    assert len(found) == 3


def test_a_wrong_lambda_key_is_told_beside_a_wrong_model(cloud: EmulatedCloud) -> None:
    stranger = LambdaClient("secret_wrong", cloud.url, RateLimiter(Limits(0, 0)))
    settings = Settings.model_validate({"lambdaApiKey": "secret_wrong", "model": "c/d"})
    with pytest.raises(PreflightError) as caught:
        preflight(settings, stranger, Hub(cloud.url, cloud.credentials.hf_token))
    lines = str(caught.value).splitlines()
    assert "API key was invalid" in lines[0]
    assert "c/d does not exist" in lines[1]
    assert "secret_wrong" not in str(caught.value)


def test_a_gated_model_without_a_token_says_where_to_accept_and_what_to_set(cloud: EmulatedCloud) -> None:
    (line,) = problems(cloud, token="")
    assert "gated" in line
    assert f"{cloud.url}/{LLAMA}" in line
    assert "HF_TOKEN" in line


def test_a_gated_model_without_accepted_licence_says_where_to_accept(cloud: EmulatedCloud) -> None:
    (line,) = problems(cloud, token=cloud.credentials.hf_token_without_access)
    assert f"your token has no access: accept its licence at {cloud.url}/{LLAMA}" in line


def test_a_wrong_token_is_told_apart_from_a_missing_model(cloud: EmulatedCloud) -> None:
    (line,) = problems(cloud, token="hf_wrong")
    assert "refused the token" in line
    assert "hf_wrong" not in line


def test_a_revision_is_pinned_to_its_commit(cloud: EmulatedCloud) -> None:
    hub = Hub(cloud.url, cloud.credentials.hf_token)
    main = hub.resolve(LLAMA, "main")
    assert len(main.commit) == 40
    assert hub.resolve(LLAMA, main.commit) == main


@pytest.mark.parametrize("text", ["<html>Welcome</html>", "[]", "{}"])
def test_a_server_that_is_no_hub_is_told_with_its_url(script: Script, text: str) -> None:
    script.raw(200, text)
    with pytest.raises(HubError, match=f"{script.url} does not answer as a Hugging Face hub does: check hfEndpoint"):
        Hub(script.url, "").resolve(LLAMA, "main")


def test_a_hub_out_of_reach_is_told_with_its_url() -> None:
    with pytest.raises(HubError, match=r"cannot reach the hub at http://127\.0\.0\.1:1"):
        Hub("http://127.0.0.1:1", "").resolve(LLAMA, "main")
