"""Finds the stack: the selected one of the project's folder, or the one of `make local`."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ops.errors import OpsError
from ops.outputs import StackOutputs, read_outputs
from ops.say import say

ROOT = Path(__file__).resolve().parents[1]
LOCAL_STACK = "local"
PULUMI_TIMEOUT_S = 120

ADVICE = {
    "no stack selected": "no stack is selected: `pulumi stack select NAME`, or name it with --stack",
    "no stack named": "there is no stack of that name here: `pulumi stack ls` lists them",
    "no pulumi.yaml": "there is no Pulumi project in this folder: name it with --project",
    "passphrase must be set": "the state is encrypted: export PULUMI_CONFIG_PASSPHRASE (or _FILE) as for `pulumi up`",
    "incorrect passphrase": "PULUMI_CONFIG_PASSPHRASE is not the one that the stack was made with",
    "access_token must be set": "not logged in to a Pulumi backend: `pulumi login`, as the README has it",
}
"""What Pulumi says, in small letters, and what to tell the user instead."""
NO_STACK_HERE = ("no stack selected", "access_token must be set")


def find_outputs(project: Path, stack: str | None) -> StackOutputs:
    """The outputs of the stack, secret ones too, with one call of the CLI.

    Where the user's own Pulumi has no stack selected, or the stack is called `local`, the one of `make local` is taken.

    Raises:
        OpsError: no CLI, no stack, no outputs yet, a state that cannot be decrypted.
    """
    local = _local_environment(project)
    if local is not None and stack == LOCAL_STACK:
        return read_outputs(_ask(project, stack, local))
    try:
        return read_outputs(_ask(project, stack, os.environ))
    except NoStackError:
        if local is None or stack is not None:
            raise
    say("no stack is selected here; this is the one of `make local`")
    return read_outputs(_ask(project, LOCAL_STACK, local))


class NoStackError(OpsError):
    """The user's Pulumi has no stack for this folder."""


def _local_environment(project: Path) -> Mapping[str, str] | None:
    """Variables for the stack of `make local`, where that has been run in this checkout."""
    file = ROOT / ".local/env"
    if project.resolve() != ROOT or not file.exists():
        return None
    return {**os.environ, **exports(file.read_text(encoding="utf-8"), os.environ)}


def exports(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What a shell takes from the file that `make local` writes for it to source: lines `export NAME=VALUE`.

    Of variables only PATH is used in them, in its own value.
    """
    lines = (shlex.split(line, comments=True) for line in text.splitlines())
    found = dict(words[1].split("=", 1) for words in lines if words[:1] == ["export"])
    if "PATH" in found:
        found["PATH"] = found["PATH"].replace("$PATH", environment.get("PATH", os.defpath))
    return found


def _ask(project: Path, stack: str | None, environment: Mapping[str, str]) -> str:
    pulumi = _pulumi(project, environment)
    words = [pulumi, "--non-interactive", "stack", "export", "--show-secrets"]
    if stack:
        words += ["--stack", stack]
    variables = {**environment, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            words,
            cwd=project,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PULUMI_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise OpsError(f"pulumi cannot be run in {project}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise OpsError(
            f"pulumi said nothing for {PULUMI_TIMEOUT_S} s: is the backend of the state reachable?"
        ) from None
    if done.returncode != 0:
        raise explained(done.stderr or done.stdout)
    return done.stdout


def _pulumi(project: Path, environment: Mapping[str, str]) -> str:
    """The CLI: on PATH, else the one that `make tools` has put into the checkout."""
    own = [str(folder / ".tools/bin") for folder in (project, ROOT)]
    search = os.pathsep.join([environment.get("PATH", os.defpath), *own])
    found = shutil.which("pulumi", path=search)
    if found is None:
        raise OpsError("there is no `pulumi` on PATH and none in .tools/bin: run `make tools`, or install Pulumi")
    return found


def explained(said: str) -> OpsError:
    """An error for what `pulumi` said on its way out."""
    small = said.lower()
    for words, advice in ADVICE.items():
        if words in small:
            return (NoStackError if words in NO_STACK_HERE else OpsError)(advice)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")] or lines or ["it said nothing"]
    return OpsError(f"pulumi failed: {errors[0].removeprefix('error:').strip()}")
