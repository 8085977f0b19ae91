"""What is told before a machine is rented."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.api.limits import Limits, RateLimiter
from components.model.facts import ModelFacts
from components.model.hub.checkpoint import Checkpoint
from components.model.hub.client import Hub, HubError
from components.settings import Settings
from components.vllm.decision import UnfitError
from components.vllm.preflight import Plan, PreflightError, TypeFit, check_checkpoint, preflight, survey
from components.vllm.preflight.plan_text import (
    document,
    lines,
    lines_beside_a_machine,
    lines_of_a_launch,
    lines_of_any_plan,
)
from tests.support.emulated import EmulatedCloud, emulated_cloud
from tests.support.jumping_clock import JumpingClock
from tests.unit.conftest import Script

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
LLAMA_8B = "full-size/Llama-3.1-8B-Instruct"
LLAMA_70B = "full-size/Llama-3.1-70B-Instruct"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedCloud]:
    with emulated_cloud(Path(tmp_path_factory.mktemp("cloud"))) as running:
        yield running


def plan_of(cloud: EmulatedCloud, token: str | None = None, **wanted: Any) -> Plan:
    return preflight(*asked(cloud, token, **wanted))


def asked(cloud: EmulatedCloud, token: str | None = None, **wanted: Any) -> tuple[Settings, LambdaClient, Hub]:
    settings = Settings.model_validate({"lambdaApiKey": "x", **wanted})
    return settings, cloud.client, Hub(cloud.url, cloud.credentials.hf_token if token is None else token)


def plan_lines(cloud: EmulatedCloud, **wanted: Any) -> str:
    return "\n".join(lines(plan_of(cloud, **wanted)))


def problems(cloud: EmulatedCloud, token: str | None = None, **wanted: Any) -> list[str]:
    with pytest.raises(PreflightError) as caught:
        plan_of(cloud, token, **wanted)
    return str(caught.value).splitlines()


def test_the_plan_shows_the_commit_and_each_candidate_with_price_and_capacity(cloud: EmulatedCloud) -> None:
    told = plan_lines(cloud, instanceTypes=["gpu_1x_gh200"], regions=["us-east-3", "us-west-1"])
    assert f"model {LLAMA} at " in told
    assert "gpu_1x_gh200 in us-east-3: $2.29 an hour, capacity now" in told
    assert "gpu_1x_gh200 in us-west-1: $2.29 an hour, no capacity now" in told


def test_the_plan_of_a_model_that_fits_says_how_much_of_the_memory_is_what(cloud: EmulatedCloud) -> None:
    told = plan_lines(cloud, model=LLAMA_8B)
    assert "LlamaForCausalLM, bfloat16" in told
    assert "gpu_1x_gh200: 15.0 GiB of weights, " in told
    assert "context 131,072" in told
    assert "downloads: " in told
    assert "16.1 GB" in told
    assert "first token about " in told
    assert "$2.29 an hour from then on" in told


def test_70b_on_one_gh200_gets_the_least_offload_that_serves_16k_tokens(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_70B)
    (one,) = plan.types
    assert one.fit
    assert one.fit.fits
    assert 48 < one.fit.cpu_offload_gib < 60
    assert one.fit.max_model_len >= 16384
    assert "GiB more in the machine's memory" in "\n".join(lines(plan))
    assert plan.decide(plan_facts(plan), one.instance_type).cpu_offload_gb == one.fit.cpu_offload_gib


def test_an_fp8_checkpoint_of_70b_needs_no_offload(cloud: EmulatedCloud) -> None:
    (one,) = plan_of(cloud, model=f"{LLAMA_70B}-FP8").types
    assert one.fit
    assert one.fit.fits
    assert one.fit.cpu_offload_gib == 0


def test_a_model_that_fits_no_candidate_is_refused_in_numbers_with_what_would_fit(cloud: EmulatedCloud) -> None:
    found = problems(cloud, model=LLAMA_70B, instanceTypes=["gpu_1x_a10"], regions=["us-east-1"])
    assert "gpu_1x_a10: needs 131." in found[0]
    assert "20.2 GiB for all that" in found[0]
    assert "what would fit" in found[-1]
    assert "gpu_1x_gh200" in found[-1]


def test_what_would_fit_is_no_machine_that_this_program_refuses(cloud: EmulatedCloud) -> None:
    """A6000s are in us-south-1 alone, which ignores firewall rules."""
    found = problems(cloud, model=LLAMA_70B, instanceTypes=["gpu_1x_a10"], regions=["us-east-1"])
    assert "a6000" not in found[-1]
    assert "INT4 (about 36.8 GiB) on gpu_1x_" in found[-1]


def test_a_type_that_is_too_small_is_left_out_when_another_serves(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_70B, instanceTypes=["gpu_1x_a10", "gpu_1x_gh200"])
    assert plan.instance_types == ["gpu_1x_gh200"]
    assert "gpu_1x_a10 is left out: needs 131." in "\n".join(lines(plan))


def test_the_gpus_of_one_machine_share_the_model(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_70B, instanceTypes=["gpu_8x_h100_sxm5"], regions=["us-east-1"])
    decision = plan.decide(plan_facts(plan), plan.types[0].instance_type)
    assert (decision.tensor_parallel_size, decision.cpu_offload_gb) == (8, 0)


def test_flags_that_cannot_be_reckoned_with_are_told(cloud: EmulatedCloud) -> None:
    (line,) = problems(cloud, vllmArgs={"max-num-seqs": 0})
    assert line == "vllmArgs: max-num-seqs takes a whole number from 1 on"
    (line,) = problems(cloud, vllmArgs={"gpu-memory-utilization": "0.9"})
    assert "a number above 0 and up to 1, such as 0.92" in line


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("gpu-memory-utilization", 0),
        ("gpu-memory-utilization", 1.5),
        ("max-num-seqs", 0),
        ("max-num-batched-tokens", -1),
        ("tensor-parallel-size", 0),
        ("data-parallel-size", "2"),
        ("pipeline-parallel-size", 2),
        ("runner", "pooling"),
        ("convert", "embed"),
        ("tokenizer", "another/repository"),
        ("speculative-config", {"model": "another/repository", "num_speculative_tokens": 3}),
    ],
)
def test_a_value_that_vllm_would_refuse_costs_no_machine(cloud: EmulatedCloud, flag: str, value: Any) -> None:
    (line,) = problems(cloud, vllmArgs={flag: value})
    assert line.startswith(f"vllmArgs: {flag} ")


def test_float32_is_not_taken_for_16_bits(cloud: EmulatedCloud) -> None:
    (line, *_) = problems(cloud, model=LLAMA_8B, vllmArgs={"dtype": "float32"})
    assert "dtype float32 takes twice the memory" in line


def test_copies_of_a_model_share_the_gpus_of_a_machine(cloud: EmulatedCloud) -> None:
    """Two copies on eight GPUs have four each: vLLM wants as many GPUs as the two sizes say together."""
    machine: dict[str, Any] = {"instanceTypes": ["gpu_8x_h100_sxm5"], "regions": ["us-east-1"], "model": LLAMA_70B}
    plan = plan_of(cloud, **machine, vllmArgs={"data-parallel-size": 2})
    assert plan.decide(plan_facts(plan), plan.types[0].instance_type).tensor_parallel_size == 4
    (line, *_) = problems(cloud, **machine, vllmArgs={"data-parallel-size": 9})
    assert "data-parallel-size 9 is more than the GPUs of gpu_8x_h100_sxm5" in line
    (line, *_) = problems(cloud, **machine, vllmArgs={"data-parallel-size": 2, "tensor-parallel-size": 8})
    assert "which are 4 for each of 2 copies" in line


def test_the_plan_for_programs_has_the_numbers_of_the_plan_for_people(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_70B)
    told = json.loads(json.dumps(document(plan)))
    assert told["commit"] == plan_facts(plan).commit
    assert told["download"]["bytes"] == plan_facts(plan).download_bytes
    assert told["machines"][0]["cpu_offload_gib"] > 48
    assert told["candidates"][0] == {
        "instance_type": "gpu_1x_gh200",
        "region": "us-east-3",
        "dollars_per_hour": 2.29,
        "has_capacity": True,
    }


def test_what_was_pinned_is_read_back_as_it_was(cloud: EmulatedCloud) -> None:
    facts = plan_facts(plan_of(cloud, model=LLAMA_70B))
    assert ModelFacts.from_json(facts.to_json()) == facts


def test_what_only_a_new_machine_needs_is_told_apart_from_what_is_wrong_in_any_case(cloud: EmulatedCloud) -> None:
    """A token that was revoked and a price that rose may wait; closing a firewall may not."""
    plan = survey(*asked(cloud, token="hf_revoked", maxPricePerHour=1))
    assert plan.facts is None
    assert "refused the token" in plan.problem
    beside = lines_beside_a_machine(plan)
    assert [line for line in beside if line.startswith("a new machine could not serve now: maxPricePerHour")]
    assert [line for line in beside if "refused the token" in line]
    assert f"model {LLAMA}: at the commit that this stack has served so far" in beside
    assert plan.instance_types == ["gpu_1x_gh200"]
    with pytest.raises(PreflightError, match=r"maxPricePerHour(.|\n)*refused the token"):
        plan_of(cloud, token="hf_revoked", maxPricePerHour=1)
    with pytest.raises(PreflightError, match="max-num-seqs"):
        survey(*asked(cloud, vllmArgs={"max-num-seqs": 0}))


def test_a_branch_whose_new_commit_does_not_fit_speaks_against_a_new_machine_only(cloud: EmulatedCloud) -> None:
    plan = survey(*asked(cloud, model=LLAMA_70B, cpuOffloadGb=0))
    assert plan.facts is None
    assert "needs 131." in plan.problem
    assert plan.instance_types == ["gpu_1x_gh200"]


def test_nothing_is_said_of_a_launch_beside_a_machine_that_stays(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud)
    assert lines_beside_a_machine(plan) == []
    assert not [line for line in lines_of_any_plan(plan) if "first token" in line]
    assert [line for line in lines_of_a_launch(plan) if "first token about" in line]
    assert not [line for line in lines_of_a_launch(plan) if "waits for one" in line]


def test_a_launch_that_has_to_wait_for_a_free_machine_is_told_to(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud)
    taken = replace(plan, candidates=tuple(replace(one, has_capacity=False) for one in plan.candidates))
    (told,) = [line for line in lines_of_a_launch(taken) if "waits for one" in line]
    assert told.startswith("no acceptable machine is free now: the launch waits for one, up to 30 minutes")


def test_the_pinned_model_is_not_served_in_a_way_that_does_not_fit(cloud: EmulatedCloud) -> None:
    """The hub may be down when the user asks for it, so that the plan knows nothing of the model."""
    plan = plan_of(cloud, model=LLAMA_70B)
    with pytest.raises(UnfitError, match=r"gpu_1x_gh200: needs 131\.4 GiB .* the server was not changed"):
        replace(plan, settings=plan.settings.model_copy(update={"cpu_offload_gb": 0.0})).decide(
            plan_facts(plan), "gpu_1x_gh200"
        )


def test_a_commit_that_fits_another_type_only_does_not_replace_the_machine_of_the_pinned_one(
    cloud: EmulatedCloud,
) -> None:
    types: dict[str, Any] = {"instanceTypes": ["gpu_1x_a10", "gpu_1x_gh200"]}
    pinned = plan_facts(plan_of(cloud, model=LLAMA_8B))
    today = plan_of(cloud, model=LLAMA_70B, **types)
    assert today.instance_types == ["gpu_1x_gh200"]
    assert today.types_for(pinned) == ["gpu_1x_a10", "gpu_1x_gh200"]
    assert today.types_for(plan_facts(today)) == ["gpu_1x_gh200"]


def test_a_server_on_a_type_that_is_not_sold_any_more_is_not_started_on_a_guess(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_70B)
    unsold = replace(plan, types=())
    with pytest.raises(UnfitError, match="does not list gpu_1x_gh200 any more"):
        unsold.decide(plan_facts(plan), "gpu_1x_gh200")
    flags = {"cpu_offload_gb": 60.0, "vllm_args": {"tensor-parallel-size": 1}}
    own = replace(unsold, settings=plan.settings.model_copy(update=flags))
    assert own.decide(plan_facts(plan), "gpu_1x_gh200").cpu_offload_gb == 60.0


def test_weights_that_are_quantised_while_they_are_loaded_need_no_offload(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_70B, vllmArgs={"quantization": "fp8"})
    assert plan.decide(plan_facts(plan), "gpu_1x_gh200").cpu_offload_gb == 0


def test_a_price_limit_that_leaves_only_what_is_too_small_is_told(cloud: EmulatedCloud) -> None:
    both: dict[str, Any] = {
        "instanceTypes": ["gpu_1x_a10", "gpu_8x_h100_sxm5"],
        "regions": ["us-east-1"],
        "model": LLAMA_70B,
    }
    (line,) = problems(cloud, **both, maxPricePerHour=3)
    assert line.startswith("maxPricePerHour: $3.00 is less than the cheapest")
    assert "$31.92 an hour for gpu_8x_h100_sxm5" in line


def test_an_image_that_only_what_is_too_small_can_boot_is_told(cloud: EmulatedCloud) -> None:
    both: dict[str, Any] = {
        "instanceTypes": ["gpu_1x_a10", "gpu_1x_gh200"],
        "regions": ["us-east-3"],
        "model": LLAMA_70B,
    }
    (line,) = problems(cloud, **both, imageFamily="gpu-base-24-04")
    assert "no image gpu-base-24-04 for arm64 in us-east-3" in line


def test_a_candidate_above_the_price_limit_is_marked(cloud: EmulatedCloud) -> None:
    told = plan_lines(
        cloud, instanceTypes=["gpu_1x_gh200", "gpu_8x_h100_sxm5"], regions=["us-east-3"], maxPricePerHour=3
    )
    assert "gpu_1x_gh200 in us-east-3: $2.29 an hour, capacity now\n" in told
    assert "gpu_8x_h100_sxm5 in us-east-3: $31.92 an hour, no capacity now, more than maxPricePerHour" in told
    assert "gpu_8x_h100_sxm5: first token" not in told


def test_the_plan_tells_the_context_that_is_asked_for(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_8B, maxModelLen=4096)
    assert ", context 4,096;" in "\n".join(lines(plan))
    (machine,) = document(plan)["machines"]
    assert (machine["context"], machine["max_model_len"]) == (4096, 131072)


def test_no_more_is_said_to_be_offloaded_than_there_is(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_8B, cpuOffloadGb=200)
    assert " 13 GiB more in the machine's memory" in "\n".join(lines(plan))
    all_of_it, half = (document(plan_of(cloud, model=LLAMA_8B, cpuOffloadGb=n))["machines"][0] for n in (200, 7))
    assert all_of_it["minutes_to_first_token"] - half["minutes_to_first_token"] < 1


def test_a_machine_without_a_gpu_is_said_to_be_one(cloud: EmulatedCloud) -> None:
    told = plan_lines(cloud, model=LLAMA_8B, instanceTypes=["cpu_4x_general"], regions=["us-east-1"])
    assert "cpu_4x_general: has no GPU, so vLLM computes on the CPU" in told


def test_a_gpu_that_is_not_known_is_said_to_be_so(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_8B, instanceTypes=["gpu_8x_h100_sxm5"], regions=["us-east-1"])
    unknown = replace(plan, types=(TypeFit("gpu_8x_h100_sxm5", None, None, 8),))
    assert "gpu_8x_h100_sxm5: its GPU is not known here" in "\n".join(lines(unknown))


def test_nothing_is_forecast_for_a_machine_on_which_the_model_does_not_fit(cloud: EmulatedCloud) -> None:
    plan = plan_of(cloud, model=LLAMA_70B, instanceTypes=["gpu_1x_a10", "gpu_1x_gh200"])
    small, large = document(plan)["machines"]
    assert "minutes_to_first_token" not in small
    assert large["minutes_to_first_token"] > 10


def plan_facts(plan: Plan) -> ModelFacts:
    assert plan.facts
    return plan.facts


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
