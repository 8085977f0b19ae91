"""Words that do not reach the program: told in the preview, by the real engine's own reading of the stack's file."""

from typing import Any

import pytest
import yaml

from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project


def add(project: Project, inside: dict[str, Any] | None = None, outside: dict[str, Any] | None = None) -> None:
    """Put keys into the stack's file as a user's editor would."""
    file = project.folder / "Pulumi.test.yaml"
    parts = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**parts, **(outside or {}), "config": {**parts["config"], **(inside or {})}}))


@pytest.mark.parametrize(
    ("inside", "outside", "told"),
    [
        (
            {"lambda-vlm:maxPricePerHour": 1},
            {},
            "lambda-vlm:maxPricePerHour: nobody reads this key; did you mean lambda-vllm:maxPricePerHour?",
        ),
        (
            {"maxpriceperhour": 1},
            {},
            "lambda-vllm:maxpriceperhour: there is no such key; did you mean maxPricePerHour?",
        ),
        ({"sshPort": 2222}, {}, "lambda-vllm:sshPort: stands in the stack file twice"),
        ({}, {"lambda-vllm:maxPricePerHour": 1}, "lambda-vllm:maxPricePerHour: stands outside of `config:`"),
        pytest.param(
            {},
            {"confg": {"lambda-vllm:maxPricePerHour": 1}},
            "confg: nobody reads this part of the stack file",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"lambda-vllm": {"maxPricePerHour": 1}},
            {},
            "write each key in a line of its own, as lambda-vllm:maxPricePerHour",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_price_limit_that_does_not_arrive_ends_the_preview(
    real_project: Project, cloud: LocalCloud, inside: dict[str, Any], outside: dict[str, Any], told: str
) -> None:
    add(real_project, inside, outside)
    failed = real_project.pulumi("preview", succeeds=False)
    assert told in failed.output
    assert "Traceback" not in failed.output
    assert cloud.requests() == []


def test_what_others_would_read_and_what_is_opened_to_the_world_is_told_and_goes_on(real_project: Project) -> None:
    add(
        real_project,
        {"aws:region": "us-east-1", "pulumi:tags": {"a": "b"}, "lambda-vllm:allowedCidrs": ["0.0.0.0/0"]},
        {"owner": "me"},
    )
    real_project.set_environment(HUGGINGFACE_TOKEN="hf_of_another_name", LAMBDA_VLLM_PORT="1")
    run = real_project.pulumi("preview")
    assert (
        "warning: aws:region: nothing in this program reads this key; did you mean lambda-vllm:regions?" in run.output
    )
    assert "warning: owner: nobody reads this part of the stack file" in run.output
    assert "warning: LAMBDA_VLLM_PORT is set, and is not read" in run.output
    assert "warning: allowedCidrs: with 0.0.0.0/0 the whole internet may reach port 8000" in run.output
    # A token there is.
    assert "HUGGINGFACE_TOKEN" not in run.output
    assert "pulumi:tags" not in run.output


def test_a_token_under_another_name_is_told_beside_the_model_that_wants_one(real_project: Project) -> None:
    real_project.set_environment(HF_TOKEN="", HUGGINGFACE_TOKEN="hf_of_another_name")
    run = real_project.pulumi("preview", succeeds=False)
    assert "warning: HUGGINGFACE_TOKEN is set, and is not read: the token of the hub is HF_TOKEN" in run.output
    assert "gated and no token was given" in run.output
    assert "hf_of_another_name" not in run.output
