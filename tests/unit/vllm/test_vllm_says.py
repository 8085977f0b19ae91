"""What the sizing says of public families of models is what the pinned vLLM says of them (`vllm_cases.py`)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from components.lambda_cloud.instance.candidates import Market
from components.model.facts import ModelFacts, facts_of
from components.model.hub.checkpoint import Checkpoint
from components.model.sizing.fit import Fit, ServeOptions, fit
from components.model.sizing.gpus import GPUS, MachineSize
from components.model.sizing.kv_cache import KvCache
from components.model.sizing.shape import ModelShape, ShapeError, shape_of
from components.settings import Settings
from components.vllm.decision import check_flags, loaded_shape, serve_options_of
from components.vllm.preflight import Plan, TypeFit, check_checkpoint
from components.vllm.release.architectures import unsupported
from components.vllm.release.flags.files import SentFiles
from tests.support.models.families import FAMILIES
from tests.support.models.families_tensors import checkpoint_of
from tests.support.models.vllm_cases import ANSWERS, CHANGED, FLAGGED, NOT_LAID_OUT, OVERRIDDEN, UNREAD, changed

SAID: Mapping[str, Mapping[str, Any]] = json.loads(ANSWERS.read_text())
LAID_OUT = [name for name in FAMILIES if "kv" in SAID[name]]
BATCHED_TOKENS = 8192
QWEN = "Qwen/Qwen2.5-7B-Instruct"
# vLLM takes the configuration and then fails to make the model.
FAILS_WHEN_LOADED = ("a type that nobody knows", "a window that is switched on")


def as_published(name: str) -> Checkpoint:
    return with_changes(name, {})


def with_changes(name: str, changes: Mapping[str, Any]) -> Checkpoint:
    return checkpoint_of(name, changed(name, changes), SAID[name].get("checkpoint"))


def settings(**keys: Any) -> Settings:
    return Settings.model_validate({"lambdaApiKey": "key", **keys})


def shape(checkpoint: Checkpoint, given: Settings) -> ModelShape:
    return shape_as_loaded(shape_of(checkpoint), given)


@cache
def shape_as_published(name: str) -> ModelShape:
    """Of some thousand tensors, for several questions."""
    return shape(as_published(name), settings())


def served(found: ModelShape, wish: ServeOptions) -> Fit:
    """On a GPU with room for anything."""
    newest = max(GPUS.values(), key=lambda gpu: gpu.compute_capability)
    return fit(found, MachineSize(replace(newest, memory_gib=1e7), 1, 1e9, "endless"), wish)


def assert_context(found: ModelShape, said: Mapping[str, Any], given: Settings) -> None:
    assert served(found, serve_options_of(given)).max_model_len == said["context"]
    longest = said["longest"]
    assert served(found, serve_options_of(given.model_copy(update={"max_model_len": longest or 10**9}))).fits
    if longest is not None:
        refused = served(found, serve_options_of(given.model_copy(update={"max_model_len": longest + 1})))
        assert f"{longest} tokens" in refused.reason


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in NOT_LAID_OUT])
def test_context_of_a_family_is_what_vllm_says(name: str) -> None:
    assert_context(shape_as_published(name), SAID[name], settings())


@pytest.mark.parametrize("name", LAID_OUT)
def test_a_sequence_takes_what_vllm_gives_it(name: str) -> None:
    assert_cache(shape_as_published(name), SAID[name])


def assert_cache(found: ModelShape, said: Mapping[str, Any]) -> None:
    cache = KvCache(found, "auto", 1, BATCHED_TOKENS)
    for tokens, nbytes in said.get("kv", {}).items():
        assert cache.sequence_bytes(int(tokens)) == pytest.approx(nbytes, rel=0.001)


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("nvidia/Llama-3_3-Nemotron-Super-49B-v1", 65536), ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 131072)],
)
def test_the_room_that_a_plan_leaves_holds_what_it_promises_by_vllm_s_own_count(name: str, tokens: int) -> None:
    machine = MachineSize(GPUS["GH200 (96 GB)"], 1, 432.0, "gpu_1x_gh200")
    planned = fit(shape_as_published(name), machine, ServeOptions(max_model_len=tokens))
    assert planned.fits
    bytes_of_a_token = SAID[name]["kv"]["131072"] / 131072
    assert planned.kv_gib * 2**30 >= tokens * bytes_of_a_token
    assert planned.max_model_len < FAMILIES[name].get("text_config", FAMILIES[name])["max_position_embeddings"]


@pytest.mark.parametrize("name", LAID_OUT)
def test_weights_of_a_family_are_what_vllm_lays_out(name: str) -> None:
    said = SAID[name]
    found = served(shape_as_published(name), ServeOptions())
    assert found.weights_gib * 2**30 == pytest.approx(said["weights"] + said["tables"], rel=0.005)


@pytest.mark.parametrize("name", FAMILIES)
def test_architectures_of_the_families_are_served(name: str) -> None:
    assert "refused" not in SAID[name]
    assert unsupported(FAMILIES[name]["architectures"]) is None


@pytest.mark.parametrize("name", NOT_LAID_OUT)
def test_what_the_sizing_does_not_know_it_does_not_guess(name: str) -> None:
    with pytest.raises(ShapeError, match="cannot be sized"):
        shape_of(as_published(name))


@pytest.mark.parametrize("name", CHANGED)
def test_a_configuration_is_read_as_vllm_reads_it(name: str) -> None:
    model, changes = CHANGED[name]
    said, checkpoint = SAID[f"config: {name}"], with_changes(model, changes)
    if "refused" in said:
        assert "vLLM 0.32 refuses" in one_line(check_checkpoint(settings(), checkpoint))
        return
    assert check_checkpoint(settings(), checkpoint) == []
    if name in FAILS_WHEN_LOADED:
        with pytest.raises(ShapeError, match="cannot be sized"):
            shape_of(checkpoint)
        return
    found = shape(checkpoint, settings())
    assert_context(found, said, settings())
    assert_cache(found, said)


@pytest.mark.parametrize("name", UNREAD)
def test_a_configuration_that_vllm_cannot_read_is_told_before_it_is_downloaded(name: str) -> None:
    assert "refused" in SAID[f"unread: {name}"]
    config = UNREAD[name]
    refused = one_line(check_checkpoint(settings(), Checkpoint(name, "0" * 40, config, (), {})))
    assert config["model_type"] in refused
    if "auto_map" in config:
        assert "trust-remote-code" in refused
        trusting = settings(vllmArgs={"trust-remote-code": True})
        assert check_checkpoint(trusting, Checkpoint(name, "0" * 40, config, (), {})) == []


@pytest.mark.parametrize("name", FAMILIES)
def test_configurations_of_the_families_can_be_read(name: str) -> None:
    trusting = settings(vllmArgs={"trust-remote-code": "auto_map" in FAMILIES[name]})
    assert check_checkpoint(trusting, as_published(name)) == []


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_overrides_count_as_vllm_applies_them(name: str) -> None:
    model, overrides = OVERRIDDEN[name]
    said, given = SAID[f"hf-overrides: {name}"], settings(vllmArgs={"hf-overrides": overrides})
    if "refused" in said:
        assert "has no rope_type" in one_line(check_flags(given))
        return
    assert check_flags(given) == []
    assert check_checkpoint(given, as_published(model)) == []
    found = shape(as_published(model), given)
    assert_context(found, said, given)
    assert_cache(found, said)


@pytest.mark.parametrize("name", FLAGGED)
def test_flags_and_variables_count_as_vllm_applies_them(name: str) -> None:
    model, flags, variables = FLAGGED[name]
    said = SAID[f"flags: {name}"]
    given = settings(vllmArgs={flag.replace("_", "-"): value for flag, value in flags.items()}, vllmEnv=variables)
    found = shape(as_published(model), given)
    assert_context(found, said, given)
    assert_cache(found, said)


@pytest.mark.parametrize("as_text", [False, True])
def test_overrides_that_are_pinned_with_the_model_count_later_too(as_text: bool) -> None:
    pinned = ModelFacts.from_json(facts_of(as_published(QWEN)).to_json())
    overrides: Any = {"max_position_embeddings": 131072}
    given = settings(vllmArgs={"hf-overrides": json.dumps(overrides) if as_text else overrides})
    assert pinned.shape
    assert served(shape_as_loaded(pinned.shape, given), ServeOptions(max_model_len=131072)).fits
    assert not served(pinned.shape, ServeOptions(max_model_len=131072)).fits


def test_a_commit_that_an_older_version_pinned_is_decided_by_what_is_read_of_it_now() -> None:
    name = "nvidia/Llama-3_3-Nemotron-Super-49B-v1"
    now, machine = facts_of(as_published(name)), MachineSize(GPUS["GH200 (96 GB)"], 1, 432.0, "gpu_1x_gh200")
    assert now.shape
    older = replace(now, shape=replace(now.shape, kv_heads=64, idle_layers=0, source=""))
    plan = Plan(settings(), now, Market({}, ()), (TypeFit(machine.name, machine, None),), SentFiles({}))
    assert plan.decide(older, machine.name) == plan.decide(now, machine.name)
    other = replace(older, commit="1" * 40)
    assert plan.decide(other, machine.name).cpu_offload_gb > plan.decide(now, machine.name).cpu_offload_gb


@pytest.mark.parametrize("overrides", ["my_module.my_function", "[1]", "{", ["max_position_embeddings"]])
def test_overrides_that_are_no_object_are_refused(overrides: Any) -> None:
    assert "hf-overrides" in one_line(check_flags(settings(vllmArgs={"hf-overrides": overrides})))


def shape_as_loaded(found: ModelShape, given: Settings) -> ModelShape:
    loaded = loaded_shape(found, given)
    assert loaded
    return loaded


def one_line(lines: list[str]) -> str:
    (line,) = lines
    assert "\n" not in line
    return line
