"""What a checkpoint says of its quantised weights, as the tools write it that made it."""

from collections.abc import Mapping
from typing import Any


def _compressed(form: str, weights: Mapping[str, Any], inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group}}


def _number(bits: int, kind: str, strategy: str, **rest: Any) -> dict[str, Any]:
    return {"num_bits": bits, "type": kind, "strategy": strategy, "symmetric": True, "dynamic": False, **rest}


def _modelopt(algorithm: str, **rest: Any) -> dict[str, Any]:
    return {"quant_method": "modelopt", "quant_algo": algorithm, "producer": {"name": "modelopt"}, **rest}


def _quark(weight: Any, inputs: Any) -> dict[str, Any]:
    return {
        "quant_method": "quark",
        "export": {"kv_cache_group": [], "pack_method": "reorder"},
        "global_quant_config": {"weight": weight, "input_tensors": inputs, "output_tensors": None, "bias": None},
        "layer_quant_config": {},
        "layer_type_quant_config": {},
    }


_NVFP4 = _number(4, "float", "tensor_group", group_size=16)
_BY_TOKEN = {"num_bits": 8, "type": "float", "strategy": "token", "symmetric": True, "dynamic": True}
_QUARK_FP8 = {"dtype": "fp8_e4m3", "qscheme": "per_tensor", "is_dynamic": False, "symmetric": True}

NVFP4 = _compressed("nvfp4-pack-quantized", _NVFP4, {**_NVFP4, "dynamic": "local"})
MODELOPT_NVFP4_FILE: Mapping[str, Any] = {
    "producer": {"name": "modelopt", "version": "0.29.0"},
    "quantization": {
        "quant_algo": "NVFP4",
        "kv_cache_quant_algo": "FP8",
        "group_size": 16,
        "exclude_modules": ["lm_head"],
    },
}
"""`hf_quant_config.json`, in which ModelOpt put it up to 0.29."""

FROM_75, FROM_80, FROM_89, BLACKWELL = (75, 80, 86, 90, 100), (80, 86, 90, 100), (90, 100), (100,)

RUNS_ON: Mapping[str, tuple[Mapping[str, Any], tuple[int, ...]]] = {
    "awq": ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}, FROM_75),
    "gptq": ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False}, FROM_75),
    "fp8": ({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}, FROM_75),
    "fbgemm_fp8": (
        {"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head"]},
        FROM_80,
    ),
    "fp_quant": (
        {
            "quant_method": "fp_quant",
            "forward_dtype": "mxfp4",
            "forward_method": "abs_max",
            "hadamard_group_size": 32,
            "pseudoquantization": False,
            "modules_to_not_convert": ["lm_head"],
        },
        BLACKWELL,
    ),
    "experts_int8": ({"quant_method": "experts_int8"}, FROM_80),
    "mxfp4": ({"quant_method": "mxfp4"}, FROM_80),
    "mxfp8": ({"quant_method": "mxfp8", "ignored_layers": ["lm_head"]}, FROM_80),
    "auto-round": ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True}, FROM_75),
    "auto-round mxfp4": (
        {"quant_method": "auto-round", "bits": 4, "group_size": 32, "sym": True, "data_type": "mx_fp"},
        FROM_80,
    ),
    "modelopt fp8": (_modelopt("FP8"), FROM_80),
    "modelopt nvfp4": (_modelopt("NVFP4", group_size=16), FROM_75),
    "modelopt nvfp4 in a file of its own": (MODELOPT_NVFP4_FILE, FROM_75),
    "modelopt nvfp4, weights only": (_modelopt("W4A16_NVFP4", group_size=16), FROM_75),
    "modelopt mxfp8": (_modelopt("MXFP8"), FROM_80),
    "modelopt mixed": (
        _modelopt("MIXED_PRECISION", quantized_layers={"model.layers.0.mlp": {"quant_algo": "NVFP4"}}),
        FROM_75,
    ),
    "compressed nvfp4": (NVFP4, FROM_75),
    "compressed nvfp4, weights only": (_compressed("nvfp4-pack-quantized", _NVFP4), FROM_75),
    "compressed mxfp4": (_compressed("mxfp4-pack-quantized", _number(4, "float", "group", group_size=32)), FROM_80),
    "compressed mxfp8": (
        _compressed("mxfp8-quantized", _number(8, "float", "group", group_size=32, scale_dtype="torch.uint8")),
        FROM_75,
    ),
    "compressed fp8": (_compressed("float-quantized", _number(8, "float", "channel"), _BY_TOKEN), FROM_75),
    "compressed fp8 with a cache of fp8": (
        {
            **_compressed("float-quantized", _number(8, "float", "channel"), _BY_TOKEN),
            "kv_cache_scheme": _number(8, "float", "tensor"),
        },
        FROM_75,
    ),
    "modelopt fp8 with a cache of fp8": (_modelopt("FP8", kv_cache_scheme=_number(8, "float", "tensor")), FROM_80),
    "compressed fp8, weights only": (_compressed("float-quantized", _number(8, "float", "channel")), FROM_75),
    "compressed int4": (_compressed("pack-quantized", _number(4, "int", "group", group_size=128)), FROM_75),
    "compressed int8": (
        _compressed("int-quantized", _number(8, "int", "channel"), {**_BY_TOKEN, "type": "int"}),
        (75, 80, 86, 90),
    ),
    "compressed int4 with fp8": (
        _compressed("pack-quantized", _number(4, "int", "group", group_size=128), _BY_TOKEN),
        (90,),
    ),
    "quark fp8": (_quark(_QUARK_FP8, _QUARK_FP8), FROM_89),
    "quark int8": (
        _quark({**_QUARK_FP8, "dtype": "int8"}, {**_QUARK_FP8, "dtype": "int8"}),
        (75, 80, 86, 90),
    ),
    "quark mxfp4": (
        _quark({"dtype": "fp4", "qscheme": "per_group", "group_size": 32, "scale_format": "e8m0"}, None),
        FROM_75,
    ),
}
"""Name to what config.json says and the capabilities, tens times major plus minor, on which vLLM 0.32 runs it."""

REFUSED: tuple[tuple[Mapping[str, Any], str], ...] = (
    ({"quant_method": "aqlm"}, "does not load weights quantised by aqlm"),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "does not load weights quantised by bitsandbytes"),
    ({"quant_method": "ptpc_fp8"}, "does not load weights quantised by ptpc_fp8"),
    ({"quant_method": "gguf"}, "does not load weights quantised by gguf"),
    ({"bits": 4}, "does not say by which method"),
    ({"quant_method": "torchao"}, "only with the package torchao"),
    ({"quant_method": "fp_quant"}, "allow-deprecated-quantization"),
    ({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}, "quant_algo W4A8_AWQ"),
    (
        {**MODELOPT_NVFP4_FILE, "quantization": {"quant_algo": "MIXED_PRECISION"}},
        "quant_algo MIXED_PRECISION in ModelOpt's old form",
    ),
    ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": True}, "desc_act"),
    ({"quant_method": "gptq", "bits": 3, "group_size": 128, "sym": True}, "bits 3"),
    ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": False}, "sym false"),
    ({"quant_method": "awq", "bits": 8, "group_size": 128, "zero_point": True}, "bits 8"),
    (
        {
            **NVFP4,
            "sparsity_config": {
                "format": "sparse-24-bitmask",
                "targets": ["Linear"],
                "sparsity_structure": "2:4",
                "global_sparsity": 0.5,
            },
        },
        "sparsity_config",
    ),
    (
        _compressed("pack-quantized", _number(4, "int", "group", group_size=128, actorder="group")),
        "actorder group",
    ),
)
"""What vLLM 0.32 loads on no GPU, and what is told of it."""
