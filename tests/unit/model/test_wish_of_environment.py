"""Variables of `vllmEnv` on which the memory depends."""

import pytest

from components.model.sizing.fit import fit
from components.settings import Settings
from components.vllm.decision import serve_options_of
from tests.support.models.catalogue_sizes import GH200
from tests.support.models.model_configs import stored_shape


def settings(**env: str | int) -> Settings:
    return Settings.model_validate({"lambdaApiKey": "key", "vllmEnv": env})


@pytest.mark.parametrize(("value", "runner"), [("0", "v1"), (0, "v1"), ("1", "v2")])
def test_the_plan_is_of_the_runner_that_is_asked_for(value: str | int, runner: str) -> None:
    assert serve_options_of(settings(VLLM_USE_V2_MODEL_RUNNER=value)).runner == runner
    assert serve_options_of(settings()).runner == "v2"


def test_weights_that_are_not_pinned_take_their_own_size_of_the_host() -> None:
    """What a refusal advises must not be refused."""
    shape = stored_shape("meta-llama/Llama-3.1-405B-Instruct", "fp8")
    refused = fit(shape, GH200, serve_options_of(settings()))
    assert not refused.fits
    assert "VLLM_WEIGHT_OFFLOADING_DISABLE_PIN_MEMORY 1 in vllmEnv" in refused.reason
    asked = serve_options_of(settings(VLLM_WEIGHT_OFFLOADING_DISABLE_PIN_MEMORY=1))
    found = fit(shape, GH200, asked)
    assert found.fits, found.reason
    assert found.host_memory_gib == pytest.approx(found.cpu_offload_gib, rel=0.01)
