"""CUDA's compatibility libraries, where they were chosen: a part of the install."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from components.on_machine.driver.compat import CompatError, have
from components.on_machine.driver.decision import COMPAT, CPU, KEEP, REFUSE
from components.on_machine.driver.machine import ubuntu
from components.on_machine.driver.record import decide_here
from components.on_machine.driver.upgrade import madison
from components.on_machine.shared.apt import apt_as_root
from components.on_machine.shared.files import replace_file
from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError, say
from components.vllm.release.driver.cuda import COMPAT_PACKAGE

APTS_FOLDER = Path("/usr/local/cuda-13.0/compat")
REPOSITORIES = "https://developer.download.nvidia.com/compute/cuda/repos"
"""NVIDIA's own, where the package is when the machine's package sources do not have it."""
REPOSITORIES_VARIABLE = "CUDA_REPOSITORIES"
"""Names others, for tests."""
OTHER_WAYS = "see above: run `pulumi up` again, or set `driver: upgrade`"


def install_libraries(
    places: Places, mode: str, install: str, version: str, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Have them, and the environment of everything that computes here, where the driver needs them. `WorkError`."""
    decision = decide_here(places, mode, install, version)
    if decision.action == COMPAT:
        write_environment(places, _installed(places, sleep))
    elif decision.action in (KEEP, CPU):
        places.cuda_environment.unlink(missing_ok=True)
    elif decision.action == REFUSE:
        raise WorkError(decision.reason, "driver-refused")
    else:
        raise WorkError("the driver is to be upgraded first: run `pulumi up` again", "driver-to-be-upgraded")


def write_environment(places: Places, folder: Path) -> None:
    """Let everything that computes here use the libraries in a folder."""
    variables = {
        "VLLM_ENABLE_CUDA_COMPATIBILITY": "1",
        "VLLM_CUDA_COMPATIBILITY_PATH": str(folder),
        "LD_LIBRARY_PATH": str(folder),
    }
    replace_file(places.cuda_environment, json.dumps(variables, indent=2) + "\n")


def _installed(places: Places, sleep: Callable[[float], None]) -> Path:
    """The folder of the libraries, installed if they were missing.

    Lambda's package sources lack them as far as was seen, so that NVIDIA's repository is the usual way, which takes
    seconds. The folder is ours then, and root is not needed.
    """
    if _has_apts():
        return APTS_FOLDER
    if madison(COMPAT_PACKAGE):
        say(f"as root: apt-get install {COMPAT_PACKAGE}")
        if not all(
            apt_as_root(places, *words, sleep=sleep) for words in (["update"], ["install", "-y", COMPAT_PACKAGE])
        ):
            raise WorkError(f"{COMPAT_PACKAGE} cannot be installed, {OTHER_WAYS}", "libraries-not-installed")
        return APTS_FOLDER
    folder = places.base / COMPAT_PACKAGE
    try:
        have(os.environ.get(REPOSITORIES_VARIABLE, REPOSITORIES), ubuntu(), platform.machine(), folder, sleep)
    except (CompatError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise WorkError(f"{COMPAT_PACKAGE} cannot be had, {OTHER_WAYS}", "no-libraries") from None
    return folder


def _has_apts() -> bool:
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", COMPAT_PACKAGE]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "installed"
    except OSError:
        return False
