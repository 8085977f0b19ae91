"""`scripts/live-check`, against the local cloud: everything it does on a real machine, for no dollar."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.local_cloud import EMPTY_ACCOUNT, local_cloud
from tests.support.pulumi_cli import REPOSITORY, pulumi_environment

FLAGS = ("dtype=bfloat16", "enforce-eager=true", "max-num-seqs=4")


@pytest.mark.long
def test_the_live_check_serves_measures_destroys_and_reports_without_a_secret(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    with local_cloud(tmp_path / "cloud") as cloud:
        environment = pulumi_environment(REPOSITORY / ".tools/pulumi-home", tmp_path / "unused") | {
            "LAMBDA_API_KEY": cloud.api_key,
            "HF_TOKEN": cloud.hf_token,
            "LAMBDA_CLOUD_REQUEST_INTERVAL": "0",
            "LAMBDA_CLOUD_LAUNCH_INTERVAL": "0",
            "XDG_STATE_HOME": str(tmp_path / "notes"),
        }
        command = [
            sys.executable, "-m", "scripts.live_check", "--yes", "--report", str(report), "--max-model-len", "512",
            "--api-url", cloud.url, "--hf-endpoint", cloud.url, "--ssh-port", "2222",
            *(word for flag in FLAGS for word in ("--vllm-arg", flag)),
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=800
        )
        text = report.read_text() if report.exists() else ""
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:] + text
        assert cloud.account() == EMPTY_ACCOUNT
    assert "**NO**" not in text
    for row in ("the tutorial's question is answered", "without the key there is no answer", "the machine is gone"):
        assert f"| {row} | yes |" in text
    assert '"vllm"' in text
    for secret in (cloud.api_key, cloud.hf_token, "sk-", "PRIVATE KEY", "127.77."):
        assert secret not in text
    assert not (REPOSITORY / ".live-check").exists()
    assert not (REPOSITORY / "Pulumi.live-check.yaml").exists()
