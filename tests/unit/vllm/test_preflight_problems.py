"""What would fail later is told before a machine is rented."""

from typing import Any

import pytest

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.api.limits import Limits, RateLimiter
from components.model.hub.checkpoint import Checkpoint
from components.model.hub.client import Hub, HubError
from components.settings import Settings
from components.vllm.preflight import PreflightError, check_checkpoint, preflight, survey
from tests.support.emulated import EmulatedCloud
from tests.support.jumping_clock import JumpingClock
from tests.support.plans import LLAMA, LLAMA_70B, asked, plan_facts, problems
from tests.unit.conftest import Script


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


def test_a_hub_out_of_reach_is_told_with_its_url(clock: JumpingClock) -> None:
    with pytest.raises(HubError, match=r"cannot reach the hub at http://127\.0\.0\.1:1"):
        Hub("http://127.0.0.1:1", "", clock).resolve(LLAMA, "main")


def test_a_host_name_that_cannot_be_one_is_told_and_no_traceback(clock: JumpingClock) -> None:
    with pytest.raises(HubError, match=r"cannot reach the hub at http://a\.\.b"):
        Hub("http://a..b", "", clock).resolve(LLAMA, "main")
    with pytest.raises(CloudError, match=r"cannot reach http://a\.\.b/api/v1 .*check apiUrl"):
        LambdaClient("secret", "http://a..b", RateLimiter(Limits(0, 0), clock)).offers()


@pytest.mark.parametrize("named", [None, 1, True, "LlamaForCausalLM", {"a": 1}, [1]])
def test_architectures_of_any_form_are_read(named: object) -> None:
    settings = Settings.model_validate({"lambdaApiKey": "x"})
    (line,) = check_checkpoint(settings, Checkpoint("a/b", "0" * 40, {"architectures": named}, (), {}))
    assert "names no architecture" in line


def test_overrides_that_cannot_be_reckoned_with_leave_the_gpus_to_the_model(cloud: EmulatedCloud) -> None:
    """A kind of positions that nobody knows here: all the more, nothing is taken away from what was served."""
    unknown = {"hf-overrides": {"rope_parameters": {"rope_type": "of-tomorrow"}}}
    types: dict[str, Any] = {"instanceTypes": ["gpu_8x_a100"], "regions": ["us-west-1"]}
    plan = survey(*asked(cloud, model=LLAMA_70B, vllmArgs=unknown, **types))
    assert plan.decide(plan_facts(plan), "gpu_8x_a100").tensor_parallel_size == 8
    on_gh200 = survey(*asked(cloud, model=LLAMA_70B, vllmArgs=unknown))
    assert on_gh200.decide(plan_facts(on_gh200), "gpu_1x_gh200").cpu_offload_gb > 0


def test_of_another_release_it_is_not_said_what_it_cannot_read(cloud: EmulatedCloud) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "of_tomorrow", "rope_scaling": {"type": "su"}}
    checkpoint = Checkpoint("a/b", "0" * 40, config, (), {})
    settings = {"lambdaApiKey": "x", "install": "source"}
    assert check_checkpoint(Settings.model_validate({**settings, "vllmVersion": "0.33.0"}), checkpoint) == []
    assert len(check_checkpoint(Settings.model_validate(settings), checkpoint)) == 2
