"""The environment in which `pulumi` works on the local stack, for this process and for the user's shell."""

import os
import shlex
from pathlib import Path

from components.on_machine.shared.files import replace_file
from scripts.local.cloud import CloudStatus
from scripts.local.place import BACKEND_URL, PULUMI_HOME, TOOLS_BIN, VENV_BIN

PASSPHRASE = "local-cloud"  # noqa: S105
"""Public on purpose: it goes with the salt in Pulumi.local.yaml, and the stack holds keys of loopback machines only."""

# First .venv: the language host takes the first `python` on PATH.
SEARCH_FIRST = (VENV_BIN, TOOLS_BIN)


def variables(cloud: CloudStatus | None) -> dict[str, str]:
    """All but PATH; without a local cloud no keys."""
    keys = {"LAMBDA_API_KEY": cloud.api_key, "HF_TOKEN": cloud.hf_token} if cloud else {}
    return keys | {
        "VIRTUAL_ENV": str(VENV_BIN.parent),
        "PULUMI_HOME": str(PULUMI_HOME),
        "PULUMI_BACKEND_URL": BACKEND_URL,
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # One that happens to be on PATH would go before the one that set-up has tried and announced.
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
    }


def process_environment(cloud: CloudStatus | None) -> dict[str, str]:
    """The caller's environment with the local stack's variables, for `subprocess`."""
    path = os.pathsep.join([*map(str, SEARCH_FIRST), os.environ.get("PATH", os.defpath)])
    return os.environ | variables(cloud) | {"PATH": path}


def shell_text(cloud: CloudStatus) -> str:
    """Lines for a POSIX shell to source."""
    path = os.pathsep.join(shlex.quote(str(folder)) for folder in SEARCH_FIRST)
    lines = [f'export PATH={path}{os.pathsep}"$PATH"']
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables(cloud).items()]
    return "\n".join(["# Written by `make local`; holds keys of the local cloud.", *lines, ""])


def write_environment_file(file: Path, cloud: CloudStatus) -> None:
    """Replace `file` whole, readable for its owner only from the first byte on."""
    replace_file(file, shell_text(cloud))
