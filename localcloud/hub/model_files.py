"""The files of a model repository, as bytes in memory (about a megabyte), or announced."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from localcloud.hub.announced import FP8_CONFIG, AnnouncedFile, AnnouncedWeights, announced_weights
from localcloud.hub.catalog import ModelSpec
from localcloud.hub.dimensions import LLAMA_31_VOCABULARY
from localcloud.hub.tokenizer import SENTENCES, make_tokenizer, token_id
from localcloud.hub.weights import make_tensors, safetensors_files

LFS_SUFFIXES = (".safetensors", ".pth", "tokenizer.json")
"""Names that end so are kept in Git LFS, and therefore known by their SHA-256."""

README = """\
---
library_name: transformers
pipeline_tag: text-generation
---

# {name}

**Not the model of that name.** This repository was made by the local cloud of this project: a {kind} of {parameters:,}
parameters and a tokenizer of {vocabulary} tokens, with random weights or, where the owner is `full-size`, with zeros.
It is there so that downloading, sizing and serving can be tried without an account. What it writes has no meaning.
"""

ORIGINAL_CHECKPOINT = b"Stands for the checkpoint in the authors' own format, which nothing here reads.\n" * 64


@dataclass(frozen=True)
class ModelFiles:
    """Everything in a repository, and what the hub's API says of it besides."""

    contents: dict[str, bytes | AnnouncedFile]
    """Path in the repository to content."""
    parameters: dict[str, int]
    """By type, as safetensors names it."""
    config: dict[str, Any]
    """The digest of `config.json` and `tokenizer_config.json` that the API shows."""


def make_model_files(model: ModelSpec) -> ModelFiles:
    """Make the repository of `model`: the same bytes on every run and every computer."""
    tokenizer = make_tokenizer(model.prompt_format)
    weights = _weights(model, tokenizer)
    config = _config(model, tokenizer)
    tokenizer_config = _tokenizer_config(model)
    parameters = sum(weights.parameters.values())
    readme = README.format(
        name=model.name, kind=model.kind.word, parameters=parameters, vocabulary=tokenizer.get_vocab_size()
    )
    contents: dict[str, bytes | AnnouncedFile] = {
        ".gitattributes": _git_attributes(),
        "README.md": readme.encode(),
        "config.json": _json(config),
        "generation_config.json": _json(_generation_config(model, tokenizer)),
        "special_tokens_map.json": _json(_special_tokens(model)),
        "tokenizer.json": (tokenizer.to_str(pretty=True) + "\n").encode(),
        "tokenizer_config.json": _json(tokenizer_config),
        **weights.files,
    }
    if model.original_checkpoint:
        is_tiny = model.weights == "random"
        contents["original/consolidated.00.pth"] = (
            ORIGINAL_CHECKPOINT if is_tiny else AnnouncedFile(ORIGINAL_CHECKPOINT, weights.total_size)
        )
    digest = {
        "architectures": config["architectures"],
        "model_type": config["model_type"],
        "tokenizer_config": {key: tokenizer_config[key] for key in ("bos_token", "chat_template", "eos_token")},
    }
    return ModelFiles(contents, weights.parameters, digest)


def _weights(model: ModelSpec, tokenizer: Tokenizer) -> AnnouncedWeights:
    if model.weights != "random":
        return announced_weights(model.dimensions, is_fp8=model.weights == "announced-fp8")
    tensors = make_tensors(model.name, model.dimensions, model.kind, _spoken(tokenizer, model.prompt_format.end))
    size = sum(tensor.bits.nbytes for tensor in tensors)
    parameters = sum(tensor.bits.size for tensor in tensors)
    return AnnouncedWeights(dict(safetensors_files(tensors, model.shards or 1)), {"BF16": parameters}, size)


def _git_attributes() -> bytes:
    return "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()


def _spoken(tokenizer: Tokenizer, end: str) -> npt.NDArray[np.bool_]:
    """For each token id, whether it is a whole word with the space before it, or the end of the answer."""
    words = {f" {word}" for word in SENTENCES.split()}
    spoken = np.array([tokenizer.decode([token]) in words for token in range(tokenizer.get_vocab_size())])
    spoken[token_id(tokenizer, end)] = True
    return spoken


def _stop_ids(model: ModelSpec, tokenizer: Tokenizer) -> int | list[int]:
    """One id or, as in Llama 3.1, several."""
    ids = [token_id(tokenizer, token) for token in model.prompt_format.stop]
    return ids[0] if len(ids) == 1 else ids


def _config(model: ModelSpec, tokenizer: Tokenizer) -> dict[str, Any]:
    size = model.dimensions
    config = {
        "architectures": [model.kind.architecture],
        "bos_token_id": token_id(tokenizer, model.prompt_format.begin),
        "eos_token_id": _stop_ids(model, tokenizer),
        "head_dim": size.head_size,
        "hidden_act": "silu",
        "hidden_size": size.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": size.intermediate_size,
        "max_position_embeddings": model.context_length,
        "model_type": model.kind.model_type,
        "num_attention_heads": size.attention_heads,
        "num_hidden_layers": size.layers,
        "num_key_value_heads": size.key_value_heads,
        "rms_norm_eps": 1e-05,
        "rope_scaling": model.rope_scaling,
        "rope_theta": model.rope_theta,
        "tie_word_embeddings": model.kind.is_tied,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": tokenizer.get_vocab_size() if model.weights == "random" else LLAMA_31_VOCABULARY,
    }
    config = dict(sorted({**config, **model.kind.keys}.items()))
    return config | ({"quantization_config": FP8_CONFIG} if model.weights == "announced-fp8" else {})


def _generation_config(model: ModelSpec, tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "bos_token_id": token_id(tokenizer, model.prompt_format.begin),
        "do_sample": True,
        "eos_token_id": _stop_ids(model, tokenizer),
        "temperature": 0.6,
        "top_p": 0.9,
    }


def _special_tokens(model: ModelSpec) -> dict[str, Any]:
    return {
        "bos_token": model.prompt_format.begin,
        "eos_token": model.prompt_format.end,
        "pad_token": model.prompt_format.pad,
    }


def _tokenizer_config(model: ModelSpec) -> dict[str, Any]:
    return {
        **_special_tokens(model),
        "chat_template": model.prompt_format.chat_template,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": model.context_length,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
