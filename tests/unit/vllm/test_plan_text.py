"""What a plan says, by what is going to be done."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from components.settings import Settings
from components.vllm.hub.client import Hub
from components.vllm.preflight import Plan, preflight
from components.vllm.preflight.plan_text import document, lines
from tests.unit.emulated import EmulatedCloud, emulated_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedCloud]:
    with emulated_cloud(Path(tmp_path_factory.mktemp("cloud"))) as running:
        yield running


@pytest.fixture(scope="module")
def plan(cloud: EmulatedCloud) -> Plan:
    settings = Settings.model_validate({"lambdaApiKey": "x", "model": "full-size/Llama-3.1-8B-Instruct"})
    return preflight(settings, cloud.client, Hub(cloud.url, cloud.credentials.hf_token))


def test_the_first_token_is_forecast_where_a_machine_is_going_to_be_launched(plan: Plan) -> None:
    assert "first token about " in "\n".join(lines(plan))
    assert "minutes_to_first_token" in document(plan)["machines"][0]


def test_of_a_machine_that_stays_no_launch_is_told(plan: Plan) -> None:
    stays = replace(plan, launches=False)
    told = "\n".join(lines(stays))
    assert "launch" not in told
    assert "first token" not in told
    # What it serves and costs is told as before.
    assert "gpu_1x_gh200 in us-east-3: $2.29 an hour" in told
    assert "GiB of weights" in told
    assert not {"minutes_to_first_token", "dollars_to_first_token"} & document(stays)["machines"][0].keys()
