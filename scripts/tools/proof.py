"""The last step of set-up: Pulumi itself is asked whether all that was set up works, and works together."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from scripts.tools.checkout import Checkout, digest
from scripts.tools.command_plugin import command_release, plugin_folder
from scripts.tools.plugin_source import PROGRAM
from scripts.tools.step import CommandFailedError, Step, ToolMissingError, show_log_end, step

PREVIEW_SECONDS = 300
PROJECT = "name: proof\nruntime: python\n"
PROOF = '''"""Needs the packages, a dynamic provider and the command plugin; a preview reaches no machine."""
import aiohttp, asyncssh, cryptography, prometheus_client, psutil, pydantic, requests, yaml
from pulumi import dynamic
from pulumi_command import remote

class Nothing(dynamic.Resource):
    pass

Nothing(dynamic.ResourceProvider(), "nothing", {})
remote.Command("command", connection=remote.ConnectionArgs(host="127.0.0.1"), create="true")
'''


def prove(checkout: Checkout, cli: Path) -> None:
    """Preview a small program with the CLI in the folder `cli`; does nothing when that went well with the same tools.

    Raises:
        ToolMissingError: Pulumi does not know the plugin, or cannot preview the program.
    """
    record = checkout.tools / "proved"
    tools = fingerprint(checkout, cli)
    if record.exists() and record.read_text() == tools:
        return
    folder = checkout.tools / f"proof.{os.getpid()}.partial"
    log = checkout.logs / "proof.log"
    try:
        with step("asking Pulumi whether all of it works", log) as proof:
            preview(proof, cli / "pulumi", folder, environment_of(checkout, cli, folder))
            plugins = said(cli / "pulumi", environment_of(checkout, cli, folder))
    except CommandFailedError as failure:
        show_log_end(failure.log)
        raise ToolMissingError(
            f"the Pulumi CLI in {cli} does not run a program with what was set up ({failure}); {remedy(checkout, cli)}"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    release = command_release(checkout)
    if not is_listed(plugins, release):
        raise ToolMissingError(
            f"Pulumi does not know the plugin command {release}: remove {plugin_folder(checkout)} and run this again"
        )
    record.write_text(tools)


def preview(proof: Step, pulumi: Path, folder: Path, environment: dict[str, str]) -> None:
    """Preview the program in a project and a state of its own."""
    (folder / "state").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROOF)
    for arguments in (["version"], ["stack", "init", "proof"], ["preview"]):
        proof.run(pulumi, "--non-interactive", *arguments, cwd=folder, env=environment, timeout=PREVIEW_SECONDS)


def is_listed(plugins: str, release: str) -> bool:
    """Whether Pulumi's list of its plugins has this release of the command plugin, with something in it."""
    return any(
        (one["name"], one["version"]) == ("command", release) and one["size"] > 0 for one in json.loads(plugins) or []
    )


def said(pulumi: Path, environment: dict[str, str]) -> str:
    """Pulumi's list of its plugins, in JSON."""
    argv: list[str | Path] = [pulumi, "plugin", "ls", "--json"]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False).stdout or "[]"


def environment_of(checkout: Checkout, cli: Path, folder: Path) -> dict[str, str]:
    """What `make local` works in, with a state of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    path = os.pathsep.join([str(checkout.venv / "bin"), str(cli), os.environ.get("PATH", os.defpath)])
    return inherited | {
        "PATH": path,
        "VIRTUAL_ENV": str(checkout.venv),
        "PULUMI_HOME": str(checkout.pulumi_home),
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": "proof",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def remedy(checkout: Checkout, cli: Path) -> str:
    if cli == checkout.bin:
        return f"remove {checkout.tools} and run this again"
    return "take it off PATH, and one is set up here instead"


def fingerprint(checkout: Checkout, cli: Path) -> str:
    """Changes when one of the tools does."""
    tools = [cli / "pulumi", plugin_folder(checkout) / PROGRAM, checkout.python]
    known = [f"{tool} {file.st_size} {file.st_mtime_ns}" for tool in tools for file in [tool.stat()]]
    known += [str(checkout.root), digest(checkout.requirements), PROOF]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()
