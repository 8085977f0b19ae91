"""What the sizing says of public families of models is what the pinned vLLM says of them (`vllm_cases.py`)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from components.settings import Settings
from components.vllm.decision import loaded_shape, wish_of
from components.vllm.hub.architectures import unsupported
from components.vllm.hub.checkpoint import Checkpoint
from components.vllm.sizing.fit import Fit, Wish, fit
from components.vllm.sizing.gpus import GPUS, MachineSize
from components.vllm.sizing.kv_cache import KvCache
from components.vllm.sizing.shape import ModelShape, ShapeError, shape_of
from tests.unit.vllm.families import FAMILIES
from tests.unit.vllm.families_tensors import checkpoint_of
from tests.unit.vllm.vllm_cases import ANSWERS, NOT_LAID_OUT

SAID: Mapping[str, Mapping[str, Any]] = json.loads(ANSWERS.read_text())
LAID_OUT = [name for name in FAMILIES if "kv" in SAID[name]]
BATCHED_TOKENS = 8192


def as_published(name: str) -> Checkpoint:
    return checkpoint_of(name, FAMILIES[name], SAID[name].get("checkpoint"))


def settings(**keys: Any) -> Settings:
    return Settings.model_validate({"lambdaApiKey": "key", **keys})


def shape(checkpoint: Checkpoint, given: Settings) -> ModelShape:
    return loaded_shape(shape_of(checkpoint), given)


def served(found: ModelShape, wish: Wish) -> Fit:
    """On a GPU with room for anything."""
    newest = max(GPUS.values(), key=lambda gpu: gpu.compute_capability)
    return fit(found, MachineSize(replace(newest, memory_gib=1e7), 1, 1e9, "endless"), wish)


def assert_context(found: ModelShape, said: Mapping[str, Any], given: Settings) -> None:
    assert served(found, wish_of(given)).max_model_len == said["context"]
    longest = said["longest"]
    assert served(found, wish_of(given.model_copy(update={"max_model_len": longest or 10**9}))).fits
    if longest is not None:
        refused = served(found, wish_of(given.model_copy(update={"max_model_len": longest + 1})))
        assert f"{longest} tokens" in refused.reason


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in NOT_LAID_OUT])
def test_context_of_a_family_is_what_vllm_says(name: str) -> None:
    assert_context(shape(as_published(name), settings()), SAID[name], settings())


@pytest.mark.parametrize("name", LAID_OUT)
def test_a_sequence_takes_what_vllm_gives_it(name: str) -> None:
    cache = KvCache(shape(as_published(name), settings()), "auto", 1, BATCHED_TOKENS)
    for tokens, nbytes in SAID[name]["kv"].items():
        assert cache.sequence_bytes(int(tokens)) == pytest.approx(nbytes, rel=0.001)


@pytest.mark.parametrize("name", LAID_OUT)
def test_weights_of_a_family_are_what_vllm_lays_out(name: str) -> None:
    said = SAID[name]
    found = served(shape(as_published(name), settings()), Wish())
    assert found.weights_gib * 2**30 == pytest.approx(said["weights"] + said["tables"], rel=0.005)


@pytest.mark.parametrize("name", FAMILIES)
def test_architectures_of_the_families_are_served(name: str) -> None:
    assert "refused" not in SAID[name]
    assert unsupported(FAMILIES[name]["architectures"]) is None


@pytest.mark.parametrize("name", NOT_LAID_OUT)
def test_what_the_sizing_does_not_know_it_does_not_guess(name: str) -> None:
    with pytest.raises(ShapeError, match="cannot be sized"):
        shape_of(as_published(name))
