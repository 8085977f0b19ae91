"""Says in one line why a job or the server failed: explain.py NAME LOG.

Texts of vLLM 0.32, huggingface_hub 2.4, uv 0.13 and pip. Runs with the machine's own Python 3.10 or newer.
"""

import re
import sys
from pathlib import Path

TAIL_BYTES = 200_000

# The first row that is found anywhere in the log wins, so the root causes stand above what merely wraps them.
CAUSES: tuple[tuple[str, str], ...] = (
    (r"No space left on device", "the machine's disk is full"),
    (
        r"not in the authorized list|awaiting a review|Cannot access gated repo|gated repo",
        "the hub does not give this model to your token: accept the licence on its page, then run `pulumi up` again",
    ),
    (r"429 Too Many Requests", "the hub limits requests: run `pulumi up` again in some minutes"),
    (
        r"Repository Not Found|RepositoryNotFoundError",
        "the hub has no such model, or your token may not see it: check `model`",
    ),
    (r"Invalid (credentials|user token)|401 Client Error", "the hub refused the token: set hfToken or HF_TOKEN anew"),
    (r"Could not get lock", "another program holds apt's lock: run `pulumi up` again in some minutes"),
    (
        r"error sending request|Failed to fetch|ConnectionError|Connection refused|timed out",
        "a download failed: run `pulumi up` again, it goes on where it stopped",
    ),
    (r"(?m)^error: (.+)", "\\1"),
    (r"(?m)^E: (.+)", "apt says: \\1"),
    (
        r"couldn't connect to|offline mode is enabled|LocalEntryNotFoundError",
        "the server asks for files that were not downloaded: it serves one repository, without the hub",
    ),
    (
        r"estimated maximum model length is (\d+)",
        "the context does not fit beside the weights: set maxModelLen to \\1 or less, or to auto",
    ),
    (
        r"No available memory for the cache blocks",
        "the weights fill the memory: raise cpuOffloadGb, or serve a quantised checkpoint",
    ),
    (
        r"Free memory on device .* is less than desired GPU memory utilization",
        "something else holds the GPU's memory: look with nvidia-smi, or lower gpu-memory-utilization in vllmArgs",
    ),
    (
        r"CUDA out of memory",
        "the model is larger than the GPU's memory: raise cpuOffloadGb, or serve a smaller checkpoint",
    ),
    (r"NVIDIA driver on your system is too old", "the driver is too old for this vLLM, which needs 580 or newer"),
    (r"unrecognized arguments: (.+)", "this vLLM does not know \\1: correct vllmArgs"),
    (r"User-specified max_model_len", "maxModelLen is longer than the model's own limit: lower it, or use auto"),
    (r"Model architectures (\[.*?\]) .*not supported", "this vLLM does not support the architecture \\1"),
    (
        r"Total number of attention heads .* must be divisible",
        "tensor-parallel-size must divide the model's attention heads",
    ),
    (r"address already in use", "the port is taken on the machine: choose another `port`"),
    (r"'EngineCore': -9", "the machine ran out of memory and killed the model server"),
    (r"No matching distribution|No solution found", "the pinned packages cannot be resolved: see the log"),
)


def cause(log: str) -> str:
    """The cause in plain words; the last line that looks like an error where no known text is found."""
    for pattern, meaning in CAUSES:
        match = re.search(pattern, log)
        if match:
            return match.expand(meaning)[:300]
    telling = [line.strip() for line in log.splitlines() if re.search(r"error|Error|failed|Killed", line)]
    return telling[-1][:300] if telling else "it was interrupted, or left no message: run `pulumi up` again"


def tail(path: Path) -> str:
    """The end of a log, which may be long."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read().decode(errors="replace")


if __name__ == "__main__":
    print(f"{sys.argv[1]} failed: {cause(tail(Path(sys.argv[2])))} (whole log on the machine: {sys.argv[2]})")
