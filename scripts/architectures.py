"""What a release of vLLM can serve, from its source: the list `architectures.json`."""

import ast
import re
from typing import Any

from scripts.release_source import ReleaseSource, named

MODELS = "vllm/model_executor/models/"
KINDS = {
    "text": ("_TEXT_GENERATION_MODELS", "_TRANSFORMERS_SUPPORTED_MODELS", "_TRANSFORMERS_BACKEND_MODELS"),
    "multimodal": ("_MULTIMODAL_MODELS",),
    "embedding": ("_EMBEDDING_MODELS", "_LATE_INTERACTION_MODELS"),
    "reward": ("_REWARD_MODELS",),
    "classification": ("_TOKEN_CLASSIFICATION_MODELS", "_SEQUENCE_CLASSIFICATION_MODELS"),
    "draft": ("_SPECULATIVE_DECODING_MODELS",),
}
"""Our word for the dictionaries of vLLM's registry; one that is in several counts where it is first."""
BACKEND_KINDS = (("EmbeddingModel", "embedding"), ("ForSequenceClassification", "classification"))
"""What the entries of the Transformers backend are, by the end of their names, where they do not write text."""
AUTO_MODELS = "transformers/models/auto/modeling_auto.py"
GENERATES = ("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES")


def architectures(vllm: ReleaseSource, transformers: ReleaseSource) -> dict[str, Any]:
    """The list."""
    registry = vllm.assignments(f"{MODELS}registry.py")
    kinds = _kinds(registry, _transcribers(vllm))
    own = {name for names in kinds.values() for name in names}
    kinds["transformers"] = _backend_models(transformers) - own
    return {
        "kinds": {kind: sorted(names) for kind, names in kinds.items()},
        "retired": dict(sorted(ast.literal_eval(named(registry, "_PREVIOUSLY_SUPPORTED_MODELS")).items())),
        "plugins": dict(sorted(ast.literal_eval(named(registry, "_OOT_SUPPORTED_MODELS")).items())),
    }


def _kinds(registry: dict[str, Any], transcribers: set[str]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {kind: set() for kind in (*KINDS, "transcription")}
    seen: set[str] = set()
    for kind, dictionaries in KINDS.items():
        for dictionary in dictionaries:
            for name, implementation in _entries(named(registry, dictionary)).items():
                if name not in seen:
                    kinds["transcription" if implementation in transcribers else _kind(name, kind)].add(name)
                    seen.add(name)
    return kinds


def _kind(name: str, kind: str) -> str:
    if not name.startswith("Transformers"):
        return kind
    kind = "multimodal" if "MultiModal" in name else kind
    return next((other for end, other in BACKEND_KINDS if name.endswith(end)), kind)


def _entries(dictionary: ast.Dict) -> dict[str, str]:
    """Architecture to the class that implements it. What is unpacked into the dictionary is in another one as well."""
    return {
        ast.literal_eval(key): ast.literal_eval(value)[1]
        for key, value in zip(dictionary.keys, dictionary.values, strict=True)
        if key is not None
    }


def _transcribers(source: ReleaseSource) -> set[str]:
    """Classes that turn speech into text and take no prompt."""
    found: set[str] = set()
    for path in source.paths(MODELS.rstrip("/")):
        for body in re.split(r"^(?=class )", source.read(path).decode(), flags=re.MULTILINE):
            if re.search(r"^    supports_transcription_only = True", body, re.MULTILINE):
                found |= set(re.findall(r"\Aclass (\w+)", body))
    return found


def _backend_models(source: ReleaseSource) -> set[str]:
    """Classes of transformers that write text and let vLLM's backend replace their attention.

    The test is the one of transformers (`_can_set_attn_implementation`), which vLLM asks.
    """
    mappings = source.assignments(AUTO_MODELS)
    generating = {
        pair.elts[1].value
        for mapping in GENERATES
        for pair in ast.walk(named(mappings, mapping))
        if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 and isinstance(pair.elts[1], ast.Constant)
    }
    replaceable: set[str] = set()
    for path in source.paths("transformers"):
        if re.fullmatch(r"transformers/models/\w+/modeling_\w+\.py", path):
            code = source.read(path).decode()
            has_attention = re.search(r"^class \w*Attention\w*\(nn\.Module\):", code, re.MULTILINE)
            if not has_attention or "ALL_ATTENTION_FUNCTIONS.get_interface(" in code:
                replaceable |= set(re.findall(r"^class (\w+)", code, re.MULTILINE))
    return {str(name) for name in generating} & replaceable
