"""Flags of `vllm serve` in `vllmArgs`: what is refused before anything is touched, and what is written down."""

import json
from typing import Any

import pytest

from components.settings.settings import FLAGS_WITH_A_KEY
from components.vllm.release.flags import FLAGS, REMOVED, VLLM_VERSION, FlagsError, checked_flags
from components.vllm.release.reserved import FLAGS_OF_OURS
from components.vllm.versions import PINNED_VLLM


def checked(given: dict[str, Any], version: str | None = None) -> dict[str, Any]:
    return checked_flags(given, version, FLAGS_WITH_A_KEY, FLAGS_OF_OURS)


def wrong(given: dict[str, Any], version: str | None = None) -> str:
    with pytest.raises(FlagsError) as caught:
        checked(given, version)
    return str(caught.value)


def test_the_list_is_of_the_release_that_is_installed_and_holds_all_kinds() -> None:
    assert VLLM_VERSION == PINNED_VLLM
    assert len(FLAGS) > 300
    assert {entry["takes"] for entry in FLAGS.values()} == {
        *("int", "json", "lora", "number", "size", "switch", "text", "text-or-json", "text-or-switch"),
    }


def test_our_own_flags_and_those_with_a_key_are_flags_of_the_release() -> None:
    assert not {*FLAGS_OF_OURS, *FLAGS_WITH_A_KEY} - FLAGS.keys()


def test_a_removed_flag_is_none_of_the_release_and_what_replaces_it_is() -> None:
    assert not REMOVED.keys() & FLAGS.keys()
    for flag, instead in REMOVED.items():
        for quoted in instead.split("`")[1::2]:
            name = quoted.split(":")[0]
            assert name in FLAGS or name in {"classify"}, f"{flag}: {quoted}"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"max-num-seq": 4}, "max-num-seq: vLLM 0.32.0 has no such flag; did you mean max-num-seqs?"),
        ({"wholly-unknown-thing": 4}, "wholly-unknown-thing: vLLM 0.32.0 has no such flag"),
        ({"swap-space": 4}, "swap-space: vLLM 0.32.0 does not have it any more: it is gone: `kv-offloading-size`"),
        ({"disable-log-requests": True}, "requests are not logged unless `enable-log-requests` is true"),
        ({"num-scheduler-steps": 8}, "scheduling of several steps is gone"),
        ({"task": "embed"}, "write `runner: generate`"),
        ({"--seed": 1}, "--seed: flags are written without the leading --, in small letters with dashes: seed"),
        ({"max_num_seqs": 1}, "in small letters with dashes: max-num-seqs"),
        ({"Seed": 1}, "in small letters with dashes: seed"),
        ({"seed ": 1}, "this is no name of a flag"),
        ({"seed=1": 1}, "this is no name of a flag"),
        ({"no-enable-prefix-caching": True}, "no-enable-prefix-caching: write `enable-prefix-caching: false`"),
        ({"asc": 2}, "asc: write its long form, api-server-count"),
        ({"max_model_len": 5}, "max-model-len is set with the key maxModelLen"),
        ({"--api_key": "x"}, "api-key is set with the key apiKey"),
        ({"model.x": "x"}, "model is set with the key model"),
        ({"no-enable-ssl-refresh": True}, "enable-ssl-refresh would take the server out of reach"),
        ({"ssl_ca_certs": "x"}, "ssl-ca-certs would take the server out of reach"),
        ({"max-num-seqs": "many"}, "max-num-seqs: it takes a whole number"),
        ({"max-num-seqs": 4.5}, "it takes a whole number"),
        ({"max-num-seqs": True}, "it takes a whole number"),
        ({"max-num-seqs": [4]}, "it takes one value, no list"),
        ({"max-num-seqs": None}, "leave the flag out"),
        ({"allowed-media-domains": None}, "leave the flag out"),
        ({"max-num-batched-tokens": "16x"}, "it takes a whole number, also with k, m, g"),
        ({"gpu-memory-utilization": "most"}, "it takes a number"),
        ({"gpu-memory-utilization": float("nan")}, "it takes a number"),
        ({"dtype": [1]}, "it takes one value, no list"),
        ({"enforce-eager": "true"}, "it takes true or false, without quotes"),
        ({"enforce-eager": 1}, "it takes true or false, without quotes"),
        ({"dtype": "fp4"}, "dtype: it takes one of auto, bfloat16, float, float16, float32, half"),
        ({"max-lora-rank": 7}, "it takes one of 1, 8, 16"),
        ({"chat-template": True}, "it takes a text"),
        ({"chat-template": "--middleware"}, "would be taken for the next flag"),
        ({"allowed-media-domains": ["a", "--api-key"]}, "would be taken for the next flag"),
        ({"compilation-config": 3}, "it takes an object or a list, or the same as JSON text"),
        ({"compilation-config": "{"}, "it takes an object or a list, or the same as JSON text"),
        ({"max-num-seqs.x": 3}, "max-num-seqs has no parts"),
        ({"compilation-config": {"mode": 3}, "compilation-config.mode": 2}, "it is there twice"),
        ({"compilation-config.mode": 2, "compilation-config": {"mode": 3}}, "it is there twice"),
    ],
)
def test_a_flag_that_vllm_would_not_take_as_it_is_meant_is_one_line(given: dict[str, Any], told: str) -> None:
    line = wrong(given)
    assert told in line
    assert "\n" not in line


def test_each_wrong_flag_has_its_line() -> None:
    lines = wrong({"a-flag": 1, "seed": "x", "dtype": "auto", "swap-space": 4}).splitlines()
    assert [line.split(":")[0] for line in lines] == ["a-flag", "swap-space", "seed"]


def test_no_value_is_in_an_error_since_it_may_be_secret() -> None:
    assert "geheim" not in wrong(dict.fromkeys(("seed", "dtype", "enforce-eager", "compilation-config"), "geheim"))
    assert "geheim" not in wrong({"chat-template": "-geheim", "api-key": "geheim"})


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"seed": -1}, {"seed": -1}),
        ({"max-num-batched-tokens": "16k"}, {"max-num-batched-tokens": "16k"}),
        ({"enable-prefix-caching": False}, {"enable-prefix-caching": False}),
        ({"allowed-origins": ["*"]}, {"allowed-origins": '["*"]'}),
        ({"cudagraph-capture-sizes": [1, 2]}, {"cudagraph-capture-sizes": [1, 2]}),
        ({"lora-modules": [{"name": "a"}, "b=/c"]}, {"lora-modules": ['{"name": "a"}', "b=/c"]}),
        ({"lora-modules": {"name": "a"}}, {"lora-modules": '{"name": "a"}'}),
        ({"compilation-config.mode": 3}, {"compilation-config": {"mode": 3}}),
        (
            {"compilation-config": {"mode": 3}, "compilation-config.pass_config.fuse_norm_quant": False},
            {"compilation-config": {"mode": 3, "pass_config": {"fuse_norm_quant": False}}},
        ),
        ({"kv-offloading-size": None}, {"kv-offloading-size": None}),
        ({"moe-backend": "DEEP-GEMM"}, {"moe-backend": "DEEP-GEMM"}),
        ({"hf-token": True}, {"hf-token": True}),
        ({"hf-overrides": {"a": [1]}}, {"hf-overrides": {"a": [1]}}),
    ],
)
def test_a_value_is_written_so_that_vllms_reader_gives_it_to_its_parser(
    given: dict[str, Any], written: dict[str, Any]
) -> None:
    before = json.dumps(given)
    assert checked(given) == written
    assert json.dumps(given) == before, "the settings were changed"


def test_of_another_release_names_and_values_are_taken_as_they_are() -> None:
    given = {"swap-space": 4, "from-the-future": "x", "future-config.a.b": True, "task": "embed"}
    assert checked(given, "0.8.5") == {
        "swap-space": 4,
        "from-the-future": "x",
        "future-config": {"a": {"b": True}},
        "task": "embed",
    }


@pytest.mark.parametrize(
    "flag", ["middleware", "middlewar", "hos", "api-key", "api_ke", "--ssl-keyfile", "conf", "no-headless", "ssl-x"]
)
def test_of_another_release_too_nothing_goes_round_the_key_check_not_even_by_its_beginning(flag: str) -> None:
    assert "is set with the key" in (line := wrong({flag: "x"}, "0.8.5")) or "out of reach" in line
    assert "next flag" in wrong({"future": ["a", "--middleware"]}, "0.8.5")
