"""How long the plan takes as a command: hub and API are near, and Lambda's limit of requests holds."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.table import Table, against
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.pulumi_cli import REPOSITORY

RUNS = 7
BOUND_S = 2.0
PAUSE_S = 1.1
"""Between two runs, so that the last request of one does not hold up the first of the next."""
MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "full-size/Llama-3.1-70B-Instruct")


def main() -> None:
    """Measure; bare is a Python that loads the same and asks nothing."""
    table = Table(
        f"The plan, as a command (medians of {RUNS} runs)", ("model", "s", "of the promised", "loading alone s")
    )
    with tempfile.TemporaryDirectory() as folder, local_cloud(Path(folder) / "cloud", "none", "0") as cloud:
        for model in MODELS:
            taken = median(_seconds(_command(cloud, model), cloud, folder) for _ in range(RUNS))
            bare = median(_seconds(_bare(), cloud, folder) for _ in range(RUNS))
            table.add(model, f"{taken:.2f}", against(taken, BOUND_S), f"{bare:.2f}")
    table.show()


def _command(cloud: LocalCloud, model: str) -> list[str]:
    words = ["--model", model, "--api-url", cloud.url, "--hf-endpoint", cloud.url]
    return [sys.executable, "-m", "components.vllm.preflight", *words]


def _bare() -> list[str]:
    return [sys.executable, "-c", "import components.vllm.preflight.__main__"]


def _seconds(command: list[str], cloud: LocalCloud, folder: str) -> float:
    time.sleep(PAUSE_S)
    environment = os.environ | {
        "LAMBDA_API_KEY": cloud.api_key,
        "HF_TOKEN": cloud.hf_token,
        "XDG_STATE_HOME": folder,
        "PYTHONDONTWRITEBYTECODE": "",
    }
    began = time.monotonic()
    subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=True)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
