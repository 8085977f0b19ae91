"""Has an environment prove, by its own Python, that it can serve on this machine."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.on_machine.install.choose import Choice
from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError

PROGRAM = Path(__file__).with_name("prove.py")


def prove(places: Places, venv: Path, choice: Choice, environment: Mapping[str, str]) -> dict[str, Any]:
    """What was found. `WorkError` when it cannot serve."""
    # Without -P Python would look for what torch imports among the modules beside the program.
    command = [str(venv / "bin/python"), "-P", str(PROGRAM), choice.target, choice.version]
    if choice.lock:
        command.append(choice.lock.torch)
    done = subprocess.run(
        command, env={**environment, **cuda_environment(places)}, stdout=subprocess.PIPE, text=True, check=False
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise WorkError(f"vLLM {choice.version} cannot be tried on this machine, see above", "not-proven") from None
    if done.returncode != 0:
        raise WorkError(found["error"], "not-proven")
    return found


def cuda_environment(places: Places) -> dict[str, str]:
    """Variables of everything that computes here."""
    file = places.cuda_environment
    variables: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return variables
