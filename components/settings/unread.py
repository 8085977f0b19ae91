"""Keys and variables of the user that nothing reads: a price limit below a misspelt name limits nothing.

What was meant for this program is an error, with its right spelling. The rest is told, and borne: it may come from a
configuration or an environment that several programs share.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import yaml

from components.lambda_cloud.api.limits import LAUNCH_INTERVAL_VARIABLE, REQUEST_INTERVAL_VARIABLE, TIMEOUT_VARIABLE
from components.text.spelling import did_you_mean, is_same, near, nearest
from components.text.variables import TRACEBACK_VARIABLE

NAME = "lambda-vllm"
"""Of the project, where nobody has given it another one."""

READ_BY_OTHERS = frozenset({"pulumi", "command"})
"""Namespaces of the engine, and of the plugin that runs commands (its version and where it comes from)."""

WORDS_OF_OTHERS = frozenset(
    {
        *("allowedCidrs", "apiKey", "apiUrl", "driver", "filesystem", "hfToken", "imageFamily", "imageId", "install"),
        *("instanceTypes", "model", "port", "regions", "sshPort", "tags", "tls"),
    }
)
"""Keys of ours that other packages have too, in namespaces of theirs."""

PARTS_OF_A_STACK_FILE = frozenset({"config", "encryptionsalt", "encryptedkey", "environment", "secretsprovider"})
"""What Pulumi reads of it (sdk/go/common/workspace, `ProjectStack`, 3.259)."""

VARIABLES = (LAUNCH_INTERVAL_VARIABLE, REQUEST_INTERVAL_VARIABLE, TIMEOUT_VARIABLE, TRACEBACK_VARIABLE)
"""Of this program, besides the two secrets."""

_LAMBDA_KEY = re.compile(r"LAMBDA[A-Z_]*(KEY|TOKEN)")
_HUB_TOKEN = re.compile(r"(HF|HUGGING_?FACE)(?!.*DISABLE)[A-Z_]*(KEY|TOKEN)")


def unread_errors(config: Collection[str], project: str, known: Collection[str], stack_file: str = "") -> Iterator[str]:
    """A line for each key that was meant for this program and does not reach it.

    `config` are the full keys of the stack, `known` the keys of the settings, `stack_file` the text of the stack's
    file, of which Pulumi hands over one part.
    """
    for key in sorted(config):
        namespace, _, name = key.partition(":")
        if namespace != project and _is_meant_for_us(namespace, name, project, known):
            meant = near(name, known)
            there = f"keys of this project begin with {project}:, and it has no {name}"
            yield f"{key}: nobody reads this key; {_question(project, meant) or there}"
    parts = _parts_in_use(config, project, stack_file)
    for part in _unread_parts(parts):
        if ":" in part or nearest(part, known):
            yield f"{part}: stands outside of `config:` in the stack file, where nobody reads it: indent it below that"
        elif question := did_you_mean(part, ["config"]):
            yield f"{part}: nobody reads this part of the stack file; {question}"
    full = [_full(key, project) for key in _keys(parts)]
    for key in sorted({key for key in full if full.count(key) > 1}):
        yield f"{key}: stands in the stack file twice, with the project's name and without: take one out"


def unread_warnings(
    config: Collection[str],
    environment: Mapping[str, str],
    project: str,
    known: Collection[str],
    stack_file: str = "",
) -> list[str]:
    """A line for each other key that nothing reads, and for variables that look like ours; never with a value."""
    lines = []
    for key in sorted(config):
        namespace, _, name = key.partition(":")
        if namespace not in {project, *READ_BY_OTHERS}:
            question = _question(project, nearest(name, known))
            lines.append(f"{key}: nothing in this program reads this key{f'; {question}' if question else ''}")
    parts = _parts_in_use(config, project, stack_file)
    lines += [f"{part}: nobody reads this part of the stack file" for part in _unread_parts(parts)]
    return [*lines, *_variables(environment, f"{project}:hfToken" in config)]


def stack_file_text(folder: Path, stack: str) -> str:
    """The stack's file as Pulumi names it; empty when it is elsewhere."""
    file = folder / f"Pulumi.{stack}.yaml"
    return file.read_text(errors="replace") if file.is_file() else ""


def key_elsewhere(environment: Mapping[str, str]) -> str:
    """A variable that seems to hold the key of Lambda's API under another name; empty when there is none."""
    return next((name for name in sorted(environment) if environment[name] and _is_like(_LAMBDA_KEY, name)), "")


def unknown_key(name: str, project: str, known: Collection[str]) -> str:
    """What to say of a key in the project's own namespace that there is not."""
    if name in {project, NAME}:
        return f"write each key in a line of its own, as {project}:maxPricePerHour"
    if near(re.split(r"[.\[]", name)[0], known) and re.search(r"[.\[]", name):
        return f"run `pulumi config set --path '{name}' VALUE`"
    return did_you_mean(name, known) or f"there are {', '.join(sorted(known))}"


def _is_meant_for_us(namespace: str, name: str, project: str, known: Collection[str]) -> bool:
    words = NAME.split("-")
    parts = [bool(nearest(word, words)) for word in re.split("[-_]", namespace)]
    meant = next(iter(nearest(name, known)), "")
    # Those of the engine are known to mean what they say, unless there is no doubt.
    if namespace in READ_BY_OTHERS:
        return meant not in WORDS_OF_OTHERS and is_same(meant, name)
    is_ours = (
        (nearest(namespace, [NAME]) or all(parts))
        # A project with a name of its own may have a sister with a name like it, and so may AWS Lambda.
        or (nearest(namespace, [project]) and near(name, known))
        or (any(parts) and is_same(meant, name))
    )
    return bool(is_ours) or (bool(meant) and meant not in WORDS_OF_OTHERS)


def _question(project: str, meant: Collection[str]) -> str:
    return "".join(f"did you mean {project}:{one}?" for one in meant)


def _parts_in_use(config: Collection[str], project: str, stack_file: str) -> Mapping[str, object]:
    """The parts of the stack's file; none when the configuration does not come from it, but from one that the command
    line has named."""
    try:
        read = yaml.safe_load(stack_file)
    except (yaml.YAMLError, ValueError):
        # Of the file that is in use Pulumi has told what is wrong.
        return {}
    parts = {str(name): part for name, part in read.items()} if isinstance(read, dict) else {}
    return parts if {_full(key, project) for key in _keys(parts)} <= set(config) else {}


def _keys(parts: Mapping[str, object]) -> list[str]:
    config = parts.get("config")
    return [str(key) for key in config] if isinstance(config, dict) else []


def _full(key: str, project: str) -> str:
    """As Pulumi completes it: without a namespace it is the project's, and `config:` in the middle is of old."""
    namespace, colon, name = key.partition(":")
    return f"{namespace}:{name.removeprefix('config:')}" if colon else f"{project}:{key}"


def _unread_parts(parts: Mapping[str, object]) -> list[str]:
    return [part for part in parts if part not in PARTS_OF_A_STACK_FILE]


def _variables(environment: Mapping[str, str], has_token: bool) -> Iterator[str]:
    given = sorted(name for name, value in environment.items() if value)
    for name in given:
        meant = nearest(name, VARIABLES)
        # LAMBDA_CLOUD_ is a beginning that other programs have too.
        is_ours = name.startswith("LAMBDA_VLLM_") or (meant and name.startswith("LAMBDA_CLOUD_"))
        if is_ours and name not in VARIABLES:
            yield f"{name} is set, and is not read{''.join(f'; did you mean {one}?' for one in meant)}"
    if not has_token and not environment.get("HF_TOKEN"):
        for name in given:
            if _is_like(_HUB_TOKEN, name):
                yield f"{name} is set, and is not read: the token of the hub is HF_TOKEN"


def _is_like(pattern: re.Pattern[str], name: str) -> bool:
    return bool(pattern.fullmatch(name.upper())) and name not in {"LAMBDA_API_KEY", "HF_TOKEN"}
