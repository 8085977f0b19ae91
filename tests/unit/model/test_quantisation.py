"""What vLLM calls the quantisation of a checkpoint."""

from typing import Any

import pytest

from components.vllm.release.quantisation import method_of
from tests.support.models.quantised import MODELOPT_NVFP4_FILE


@pytest.mark.parametrize(
    ("config", "method"),
    [
        ({}, None),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
        ({"compression_config": {"quant_method": "compressed_tensors"}}, "compressed-tensors"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "auto_gptq"),
        ({"quantization_config": {"quant_method": "AWQ", "bits": 4}}, "auto_awq"),
        ({"quantization_config": {"quant_method": "auto-round"}}, "inc"),
        ({"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}, "gpt_oss_mxfp4"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "fp8"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}, "modelopt"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}, "modelopt_fp4"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8_PB_WO"}}, "modelopt"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "w4a16_nvfp4"}}, "modelopt_fp4"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "MXFP8"}}, "modelopt_mxfp8"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}}, "modelopt_mixed"),
        ({"quantization_config": MODELOPT_NVFP4_FILE}, "modelopt_fp4"),
        ({"model_type": "deepseek_v4", "quantization_config": {"quant_method": "fp8"}}, "deepseek_v4_fp8"),
        (
            {"quantization_config": {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}}},
            "modelopt",
        ),
        ({"quantization_config": {}}, None),
        ({"quantization_config": {"bits": 4}}, "unknown"),
    ],
)
def test_quantisation_has_the_name_that_vllm_gives_it(config: dict[str, Any], method: str | None) -> None:
    assert method_of(config) == method
