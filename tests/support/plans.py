"""Plans of launches at an emulated cloud and hub, and what is wrong with them."""

from typing import Any

import pytest

from components.lambda_cloud.api.client import LambdaClient
from components.model.facts import ModelFacts
from components.model.hub.client import Hub
from components.settings import Settings
from components.vllm.preflight import Plan, PreflightError, preflight
from components.vllm.preflight.plan_text import (
    lines,
)
from tests.support.emulated import EmulatedCloud

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"

LLAMA_8B = "full-size/Llama-3.1-8B-Instruct"

LLAMA_70B = "full-size/Llama-3.1-70B-Instruct"


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


def plan_facts(plan: Plan) -> ModelFacts:
    assert plan.facts
    return plan.facts
