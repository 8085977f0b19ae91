"""The compiled parts of vLLM, out of the release's own wheel."""

import shutil
import sys
from pathlib import Path

from components.on_machine.install.source.plan import Plan
from components.on_machine.install.source.tools import Tools
from components.on_machine.shared.work import WorkError, say


def take_compiled_parts(tools: Tools, plan: Plan, folder: Path) -> dict[str, str]:
    """Download the wheel into a folder; the variables by which vLLM's build takes it. `WorkError`."""
    version = plan.pins.version
    say(f"downloading the wheel of vLLM {version} for its compiled parts")
    shutil.rmtree(folder, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps")
    options = ("--only-binary", ":all:", "--python-version", plan.python, "--dest", folder)
    is_there = tools.run(*pip, *options, f"vllm=={version}")
    wheel = next(folder.glob("*.whl"), None)
    if not is_there or wheel is None:
        raise WorkError(f"the wheel of vLLM {version} cannot be downloaded, see above", "not-downloaded")
    return {"VLLM_USE_PRECOMPILED": "1", "VLLM_PRECOMPILED_WHEEL_LOCATION": str(wheel)}
