"""What was knowable before is told before: one line each, and nothing is created."""

from typing import Any

import pytest
from huggingface_hub import HfApi

from tests.support.local_cloud import EMPTY_ACCOUNT, LocalCloud
from tests.support.long import cases
from tests.support.pulumi_project import Project

WRONG: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "no-key": ({}, {"LAMBDA_API_KEY": ""}, "no Lambda API key: set LAMBDA_API_KEY"),
    "key": ({}, {"LAMBDA_API_KEY": "secret_wrong_key"}, "API key was invalid, expired, or deleted"),
    "type": ({"instanceTypes": ["gpu_1x_gh300"]}, {}, "instanceTypes: Lambda has no instance type gpu_1x_gh300"),
    "region": ({"regions": ["us-east-9"]}, {}, "regions: Lambda has no region us-east-9"),
    "network": ({"allowedCidrs": ["10.0.0/8"]}, {}, "'10.0.0/8' is not an IPv4 network"),
    "model": ({"model": "meta-llama/Llama-9-8B"}, {}, "model meta-llama/Llama-9-8B does not exist"),
    "licence": ({}, {"HF_TOKEN": "without access"}, "your token has no access: accept its licence at"),
    "price": ({"maxPricePerHour": 1}, {}, "maxPricePerHour: $1.00 is less than the cheapest"),
    "word": ({"maxPricePerHur": 1}, {}, "there is no such key"),
    "plain-secret": ({"apiKey": "sk-in-plain-text-0123456789"}, {}, "run `pulumi config set --secret apiKey VALUE`"),
}
ALWAYS = {"key", "type", "licence", "plain-secret"}
"""One that each of those asked finds: Lambda, the hub, and the settings by themselves. The others: tests/unit."""


@pytest.mark.parametrize(("config", "environment", "told"), cases(WRONG.items(), ALWAYS))
def test_a_wrong_input_is_one_line_and_creates_nothing(
    real_project: Project, cloud: LocalCloud, config: dict[str, Any], environment: dict[str, str], told: str
) -> None:
    if environment.get("HF_TOKEN"):
        environment = {"HF_TOKEN": cloud.hf_token_without_access}
    real_project.configure(**config)
    real_project.set_environment(**environment)
    failed = real_project.up(succeeds=False)
    lines = [line for line in failed.output.splitlines() if told in line]
    assert lines, failed.output
    assert "Traceback" not in failed.output
    assert "secret_wrong_key" not in failed.output
    assert "sk-in-plain-text" not in failed.output
    assert cloud.writes() == []
    assert cloud.account() == EMPTY_ACCOUNT
    # The component itself is a name in the state and nothing else.
    made = {kind for kind in real_project.resources() if not kind.startswith("pulumi:")}
    assert made <= {"lambdavllm:index:VllmEndpoint"}


def test_a_preview_shows_the_plan_with_its_price_and_creates_nothing(real_project: Project, cloud: LocalCloud) -> None:
    preview = real_project.pulumi("preview")
    assert "model meta-llama/Llama-3.1-8B-Instruct at " in preview.output
    assert "gpu_1x_gh200 in us-east-3: $2.29 an hour, capacity now" in preview.output
    assert cloud.writes() == []


def test_a_stack_keeps_its_model_and_refuses_one_that_nobody_has_seen(real_project: Project, cloud: LocalCloud) -> None:
    """A branch that moved is told, and another model is refused in the preview already."""
    pin = ("--target", "**ModelPin::vllm-model", "--target", "**VllmEndpoint::vllm")
    real_project.pulumi("up", "--yes", "--skip-preview", *pin)
    hub = HfApi(endpoint=cloud.url, token=cloud.hf_token)
    hub.upload_file(path_or_fileobj=b"moved", path_in_repo="moved.txt", repo_id="meta-llama/Llama-3.1-8B-Instruct")
    moved = real_project.pulumi("preview")
    assert "main of meta-llama/Llama-3.1-8B-Instruct has moved: this stack stays at " in moved.output

    real_project.configure(hfEndpoint="http://127.0.0.1:1")
    no_machine = real_project.pulumi("preview", succeeds=False)
    assert "no new machine can be launched" in no_machine.output
    assert "cannot reach the hub at http://127.0.0.1:1" in no_machine.output
    real_project.configure(modelRevision="v2")
    refused = real_project.pulumi("preview", succeeds=False)
    assert "cannot reach the hub at http://127.0.0.1:1" in refused.output
    assert "nothing was changed" in refused.output
    assert "Traceback" not in refused.output
