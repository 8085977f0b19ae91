"""Plugins `pulumi-resource-command` that the user has already, and whether one of them is any good."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.tools.checkout import Checkout
from scripts.tools.step import end_group

PROGRAM = "pulumi-resource-command"
STAND_IN_MARK = b"# stand-in for pulumi-resource-command"
"""In the script that scripts/command_plugin/install.py writes; another checkout's is not the official plugin."""
PROBE_SECONDS = 60
"""For a program that does not behave like a plugin and never ends."""


@dataclass(frozen=True)
class Source:
    """A program of the plugin's name."""

    program: Path
    on_path: bool
    """Pulumi takes one on PATH before any other, of whatever version, unless it is told not to."""

    def stat(self) -> os.stat_result:
        return self.program.stat()

    def copy_to(self, folder: Path) -> None:
        """Make `folder` with the program, and with what is beside it in its own folder of a PULUMI_HOME."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        if self.on_path:
            folder.mkdir()
            shutil.copy(self.program, folder / PROGRAM)
        else:
            shutil.copytree(self.program.parent, folder)

    @property
    def else_used(self) -> str:
        """What to add where it is told that the program is not used."""
        if not self.on_path:
            return ""
        return "; a pulumi without PULUMI_IGNORE_AMBIENT_PLUGINS=true takes it all the same, so better take it off PATH"


def sources(checkout: Checkout, folder_name: str) -> list[Source]:
    """The user's own: one on PATH, then one that their Pulumi has downloaded to the end."""
    on_path = shutil.which(PROGRAM)
    found = [Source(Path(on_path).resolve(), on_path=True)] if on_path is not None else []
    home = Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser()
    folder = home / "plugins" / folder_name
    under_way = folder.with_name(f"{folder_name}.partial").exists()
    if home != checkout.pulumi_home and not under_way and os.access(folder / PROGRAM, os.X_OK):
        found.append(Source(folder / PROGRAM, on_path=False))
    return [source for source in found if source.program.is_file() and not is_stand_in(source.program)]


def is_stand_in(program: Path) -> bool:
    """Whether it is the local cloud's own; what cannot be read is not."""
    if not os.access(program, os.R_OK):
        return False
    with program.open("rb") as content:
        return STAND_IN_MARK in content.read(200)


def problem_of(checkout: Checkout, program: Path, release: str) -> str | None:
    """Why a program is not the plugin of this release, asked of the program itself; None when it is."""
    argv: list[str | Path] = [checkout.python, "-m", "scripts.tools.plugin_probe", program]
    probe = subprocess.Popen(
        argv, cwd=checkout.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        said, complaint = (text.decode(errors="replace").strip() for text in probe.communicate(timeout=PROBE_SECONDS))
    except subprocess.TimeoutExpired:
        end_group(probe)
        return f"it was started and said nothing for {PROBE_SECONDS} s"
    except BaseException:
        # Ctrl+C does not reach what has a session of its own.
        end_group(probe)
        raise
    if probe.returncode != 0:
        return complaint.splitlines()[-1] if complaint else "it does not answer"
    return version_problem(said, release)


def version_problem(said: str, release: str) -> str | None:
    """A build from source says nothing or a version before any release; Pulumi goes by its place then, and so do we."""
    version = said.removeprefix("v")
    if re.fullmatch(r"\d+\.\d+\.\d+", version) and version != release:
        return f"it is version {version}, and {release} is wanted"
    return None
