"""Putting the stand-in where the engine looks for the plugin."""

import shlex
from pathlib import Path

from . import VERSION

MARK = "# stand-in for pulumi-resource-command, from the local cloud"
PROJECT_ROOT = Path(__file__).absolute().parents[2]


class OfficialPluginError(Exception):
    """The official plugin is installed; it is never overwritten."""


def install(home: Path, python: Path, project_root: Path = PROJECT_ROOT) -> Path:
    """Write the plugin's executable under a PULUMI_HOME and return its path; again is fine.

    `python` is the interpreter that has the project's requirements; a symbolic link, as virtual environments have it,
    is kept. Raises `OfficialPluginError`, and `OSError` when the directory cannot be written.
    """
    executable = home.absolute() / "plugins" / f"resource-command-v{VERSION}" / "pulumi-resource-command"
    if executable.exists() and MARK.encode() not in executable.read_bytes():
        raise OfficialPluginError(f"{executable} is the official plugin; it is left alone")
    executable.parent.mkdir(parents=True, exist_ok=True)
    executable.write_text(_script(python.absolute(), project_root.absolute()))
    executable.chmod(0o755)
    return executable


def _script(python: Path, project_root: Path) -> str:
    # `exec` keeps the engine the parent of the plugin, which is how the plugin notices that the engine is gone.
    return (
        "#!/bin/sh\n"
        f"{MARK}\n"
        f"PYTHONPATH={shlex.quote(str(project_root))}${{PYTHONPATH:+:$PYTHONPATH}}\n"
        "export PYTHONPATH\n"
        f'exec {shlex.quote(str(python))} -m scripts.command_plugin "$@"\n'
    )
