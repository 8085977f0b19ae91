"""What the machine says of itself, asked over SSH while it serves."""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.on_machine.shared.paths import UNIT, Places

TIMEOUT_S = 120
THERE = Places(Path())
"""From the home folder on."""

TELLING = (
    "vLLM server version",
    "Resolved architecture",
    "Loading weights took",
    "Total CPU offloaded",
    "Model loading took",
    "torch.compile took",
    "Available KV cache",
    "GPU KV cache size",
    "Maximum concurrency",
    "Graph capturing finished",
    "init engine",
)
"""Lines of vLLM's log that say how long it took and how much room it found."""

COMMANDS: Mapping[str, str] = {
    "system": '. /etc/os-release; echo "$PRETTY_NAME, $(uname -m), $(uname -r), $(nproc) cores"',
    "memory": "free -g | awk '/Mem:/ {print $2 \" GiB\"}'",
    "gpu": (
        "nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used --format=csv,noheader 2>&1 | head -n 8 "
        "|| echo none"
    ),
    "compatibility libraries": f"cat ~/{THERE.cuda_environment} 2>/dev/null || echo none",
    "manifest": f"cat ~/{THERE.manifest} 2>/dev/null || echo none",
    "server": f"grep -hE '{'|'.join(TELLING)}' ~/{THERE.log} | cut -c1-300 || true",
    "service": f"systemctl --user is-active {UNIT}",
    "disk": "df -h --output=size,avail / | tail -n 1",
}
"""What is asked, and the command that answers. None of them shows a secret."""


def ask(outputs: Mapping[str, Any]) -> dict[str, str]:
    """The answers by their names; a command that fails answers with what it said."""
    with tempfile.TemporaryDirectory() as folder:
        words = shlex.split(str(outputs["ssh"]))
        words[words.index("-i") + 1] = str(key_file(Path(folder), str(outputs["ssh_private_key"])))
        return {name: _run([*words, command]) for name, command in COMMANDS.items()}


def kv_cache_tokens(server_log: str) -> int | None:
    """Tokens of KV cache that vLLM found room for, by its log; None where it does not say."""
    found = re.search(r"GPU KV cache size: ([\d,]+) tokens", server_log)
    return int(found.group(1).replace(",", "")) if found else None


def key_file(folder: Path, private_key: str) -> Path:
    """The private key in a file that `ssh` accepts."""
    file = folder / "key"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.write(private_key)
    return file


def _run(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not answered: {type(error).__name__}"
    return (done.stdout or done.stderr).strip()
