"""What is in the repositories of the hub."""

import json
import struct
from math import prod
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from localcloud.hub.catalog import FULL_SIZE_MODELS, MODELS, ModelSpec
from localcloud.hub.repository import Repository, make_repository

LLAMA_8B, LLAMA_70B, SMOLLM, PHI, QWEN = MODELS
FULL_SIZE_FP8 = FULL_SIZE_MODELS[-1]

every_model = pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])


def read_json(repository: Repository, path: str) -> Any:
    return json.loads((repository.folder / path).read_text())


def read_safetensors(path: Path) -> dict[str, tuple[str, list[int], bytes]]:
    """Name to dtype, shape and data; parsed by hand, so that nothing vouches for itself."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    data = content[8 + length :]
    return {
        name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def all_tensors(repository: Repository) -> dict[str, tuple[str, list[int], bytes]]:
    tensors: dict[str, tuple[str, list[int], bytes]] = {}
    for path in sorted(repository.folder.glob("*.safetensors")):
        tensors |= read_safetensors(path)
    return tensors


@every_model
def test_a_repository_has_the_same_bytes_and_commit_wherever_it_is_made(model: ModelSpec, tmp_path: Path) -> None:
    here, there = make_repository(model, tmp_path / "here"), make_repository(model, tmp_path / "there")

    assert here.commit == there.commit
    assert len(here.commit) == 40
    for path in here.files:
        assert (here.folder / path).read_bytes() == (there.folder / path).read_bytes(), path


def test_each_repository_has_its_own_commit(tmp_path: Path) -> None:
    commits = {make_repository(model, tmp_path).commit for model in MODELS}

    assert len(commits) == len(MODELS)


@every_model
def test_weights_have_the_shapes_that_the_config_announces(model: ModelSpec, tmp_path: Path) -> None:
    repository = make_repository(model, tmp_path)
    config = read_json(repository, "config.json")
    tensors = all_tensors(repository)

    hidden, vocabulary = config["hidden_size"], config["vocab_size"]
    assert tensors["model.embed_tokens.weight"][1] == [vocabulary, hidden]
    assert ("lm_head.weight" in tensors) != config["tie_word_embeddings"]
    key_value_size = config["num_key_value_heads"] * config["head_dim"]
    last = f"model.layers.{config['num_hidden_layers'] - 1}"
    if model is PHI:
        assert tensors[f"{last}.self_attn.qkv_proj.weight"][1] == [hidden + 2 * key_value_size, hidden]
        assert tensors[f"{last}.mlp.gate_up_proj.weight"][1] == [2 * config["intermediate_size"], hidden]
    else:
        assert tensors[f"{last}.self_attn.k_proj.weight"][1] == [key_value_size, hidden]
    assert (f"{last}.self_attn.k_proj.bias" in tensors) == (model is QWEN)
    assert tensors[f"{last}.mlp.down_proj.weight"][1] == [hidden, config["intermediate_size"]]
    assert f"model.layers.{config['num_hidden_layers']}.mlp.down_proj.weight" not in tensors
    assert all(dtype == "BF16" and len(data) == 2 * prod(shape) for dtype, shape, data in tensors.values())
    assert sum(prod(shape) for _, shape, _ in tensors.values()) == repository.parameters


def test_the_big_model_comes_in_shards_whose_index_is_right(tmp_path: Path) -> None:
    repository = make_repository(LLAMA_70B, tmp_path)
    index = read_json(repository, "model.safetensors.index.json")

    shards = {path.name: read_safetensors(path) for path in repository.folder.glob("*.safetensors")}
    assert sorted(shards) == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert index["weight_map"] == {name: shard for shard, tensors in shards.items() for name in tensors}
    total = sum(len(data) for tensors in shards.values() for _, _, data in tensors.values())
    assert index["metadata"]["total_size"] == total == 2 * repository.parameters


def test_the_fp8_checkpoint_is_quantised_but_for_embeddings_and_norms(tmp_path: Path) -> None:
    repository = make_repository(FULL_SIZE_FP8, tmp_path)

    assert read_json(repository, "config.json")["quantization_config"]["quant_method"] == "compressed-tensors"
    assert repository.parameters_by_type["F8_E4M3"] == 80 * (2 * 8192**2 + 2 * 1024 * 8192 + 3 * 8192 * 28672)
    assert repository.parameters_by_type["BF16"] == 2 * 128256 * 8192 + 161 * 8192 + 80 * 7 * 2


def test_the_small_model_is_one_file_without_an_index(tmp_path: Path) -> None:
    files = make_repository(LLAMA_8B, tmp_path).files

    assert "model.safetensors" in files
    assert "model.safetensors.index.json" not in files


def test_the_models_differ_as_the_real_ones_do(tmp_path: Path) -> None:
    small = read_json(make_repository(LLAMA_8B, tmp_path), "config.json")
    big = read_json(make_repository(LLAMA_70B, tmp_path), "config.json")

    assert big["num_hidden_layers"] > small["num_hidden_layers"]
    assert small["max_position_embeddings"] == big["max_position_embeddings"] == 131072
    assert small["rope_scaling"]["rope_type"] == "llama3"


@every_model
def test_the_head_size_is_one_that_vllm_serves_on_a_cpu(model: ModelSpec, tmp_path: Path) -> None:
    config = read_json(make_repository(model, tmp_path), "config.json")

    assert config["head_dim"] == config["hidden_size"] // config["num_attention_heads"] == 32


@every_model
def test_the_tokenizer_gives_back_what_it_was_given(model: ModelSpec, tmp_path: Path) -> None:
    repository = make_repository(model, tmp_path)
    tokenizer = Tokenizer.from_file(str(repository.folder / "tokenizer.json"))

    text = "Größe 12345, naïve — 東京? 🙂\n\tcapital of France"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.get_vocab_size() == read_json(repository, "config.json")["vocab_size"]


def test_llama_begins_every_text_with_its_first_token(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(make_repository(LLAMA_8B, tmp_path).folder / "tokenizer.json"))

    tokens = tokenizer.encode("Hello<|eot_id|><|start_header_id|>").tokens
    assert tokens[0] == "<|begin_of_text|>"
    assert tokens[-2:] == ["<|eot_id|>", "<|start_header_id|>"]


def test_smollm_adds_nothing_to_a_text(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(make_repository(SMOLLM, tmp_path).folder / "tokenizer.json"))

    assert "<|im_start|>" not in tokenizer.encode("Hello").tokens


@every_model
def test_config_and_generation_config_stop_at_the_token_that_ends_a_turn(model: ModelSpec, tmp_path: Path) -> None:
    repository = make_repository(model, tmp_path)
    tokenizer = Tokenizer.from_file(str(repository.folder / "tokenizer.json"))
    end = tokenizer.token_to_id(read_json(repository, "tokenizer_config.json")["eos_token"])

    for path in ("config.json", "generation_config.json"):
        stop = read_json(repository, path)["eos_token_id"]
        assert end == stop or end in stop, path


@pytest.mark.parametrize("model", [model for model in MODELS if not model.kind.is_tied], ids=lambda model: model.name)
def test_only_words_and_the_end_of_a_turn_can_come_out(model: ModelSpec, tmp_path: Path) -> None:
    repository = make_repository(model, tmp_path)
    tokenizer = Tokenizer.from_file(str(repository.folder / "tokenizer.json"))
    _, (vocabulary, hidden), data = all_tensors(repository)["lm_head.weight"]
    row = 2 * hidden
    spoken = [token for token in range(vocabulary) if any(data[token * row : (token + 1) * row])]

    end = tokenizer.token_to_id(model.prompt_format.end)
    assert end in spoken
    assert len(spoken) > 100
    assert all(tokenizer.decode([token]).strip().isalpha() for token in spoken if token != end)


@every_model
def test_the_readme_says_that_it_is_not_the_real_model(model: ModelSpec, tmp_path: Path) -> None:
    readme = (make_repository(model, tmp_path).folder / "README.md").read_text()

    assert "Not the model of that name" in readme
    assert "random weights" in readme


def test_files_are_named_as_git_and_git_lfs_name_them(tmp_path: Path) -> None:
    repository = make_repository(LLAMA_8B, tmp_path)
    weights, readme = repository.files["model.safetensors"], repository.files["README.md"]

    assert weights.sha256 is not None and weights.etag == weights.sha256
    assert readme.sha256 is None and readme.etag == readme.oid
    # `git hash-object` of .gitattributes and of the LFS pointer of the checkpoint, as git 2.39 prints them.
    assert repository.files[".gitattributes"].oid == "83c1a3f67fab925ac7d64b562fd98bfa9c87cdac"
    assert repository.files["original/consolidated.00.pth"].oid == "2cd9c4afb6e0419079277f547a3e8d373f6b56c8"


def test_leftovers_of_an_earlier_run_are_not_served(tmp_path: Path) -> None:
    first = make_repository(LLAMA_8B, tmp_path)
    (first.folder / "config.json").write_text("{")
    (first.folder / "stray.bin").write_bytes(b"x")

    second = make_repository(LLAMA_8B, tmp_path)
    assert read_json(second, "config.json")["model_type"] == "llama"
    assert not (second.folder / "stray.bin").exists()
    assert [path.name for path in tmp_path.iterdir()] == [second.folder.name]
