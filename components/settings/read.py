"""The stack's configuration: the one place that reads it.

Keys are the words of the README's table, in the namespace of the project. Every wrong key is reported at once, each
in one line with its name, its value (never a secret one) and what is allowed.
"""

import json
from collections.abc import Mapping, Set
from typing import Any

from pydantic import ValidationError

from components.settings.settings import KEYS, SECRETS, WORDS, Settings
from components.settings.unread import key_elsewhere, unknown_key, unread_errors
from components.settings.word import FilesystemSetting
from components.text.spelling import did_you_mean

NO_KEY = "no Lambda API key: set LAMBDA_API_KEY, or run `pulumi config set --secret lambdaApiKey KEY`"


class SettingsError(Exception):
    """One or more wrong keys; the text has one line for each."""


def read_settings(
    config: Mapping[str, str],
    secret_keys: Set[str],
    environment: Mapping[str, str],
    project: str,
    stack_file: str = "",
) -> Settings:
    """Settings from the stack's configuration (full keys, values as text) and the environment.

    `secret_keys` are the full keys that are encrypted in the stack file; a secret has to be one of them. The two
    account secrets may come from the environment, as `LAMBDA_API_KEY` and `HF_TOKEN`. `SettingsError` when a key is
    wrong, unknown or missing, and when one that was meant for this program does not reach it; `stack_file` is the text
    of the stack's file, for what Pulumi drops of it.
    """
    prefix = f"{project}:"
    texts = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    values: dict[str, Any] = {key: _value(text) for key, text in texts.items()}
    values |= {key: text for key, text in texts.items() if key in WORDS and WORDS[key].is_text}
    for key, variable in (("lambdaApiKey", "LAMBDA_API_KEY"), ("hfToken", "HF_TOKEN")):
        values[key] = (values.get(key) or environment.get(variable, "")).strip()
    plain = sorted(key for key in texts.keys() & SECRETS if prefix + key not in secret_keys)
    lines = [f"{prefix}{key}: is in plain text; run `pulumi config set --secret {key} VALUE`" for key in plain]
    lines += unread_errors(config, project, KEYS, stack_file)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        misspelt = {details["loc"][0] for details in found if details["type"] == "extra_forbidden"}
        # Of a part that is misspelt, another one is missing.
        said = (one for one in found if one["type"] != "missing" or one["loc"][0] not in misspelt)
        lines += dict.fromkeys(_line(project, details) for details in said)
        raise SettingsError("\n".join(_with_hint(line, environment) for line in lines)) from None
    if lines:
        raise SettingsError("\n".join(lines))
    return settings


def parse_flag(word: str) -> tuple[str, Any]:
    """Name and value of a word such as `max-num-seqs=4`, as they stand in `vllmArgs`; without a value it is true."""
    name, _, text = word.partition("=")
    return name, _value(text) if text else True


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _with_hint(line: str, environment: Mapping[str, str]) -> str:
    other = key_elsewhere(environment) if line == NO_KEY else ""
    return f"{line}; {other} is set, and is not read" if other else line


def _line(project: str, details: Any) -> str:
    if not details["loc"]:
        return f"{project}: {str(details['msg']).removeprefix('Value error, ')}"
    key = str(details["loc"][0])
    name = f"{project}:{key}"
    if key == "lambdaApiKey" and details["input"]:
        return "the Lambda API key holds characters that no key has: copy it anew"
    if key == "lambdaApiKey":
        return NO_KEY
    is_extra, inside = details["type"] == "extra_forbidden", len(details["loc"]) > 1
    if is_extra and not inside:
        return f"{name}: there is no such key; {unknown_key(key, project, KEYS)}"
    word = WORDS[key]
    if is_extra:
        part = str(details["loc"][-1])
        question = f", {near}" if (near := did_you_mean(part, FilesystemSetting.model_fields)) else ";"
        return f"{name}: is not allowed: {part} is no part of it{question} It is {word.allowed}"
    is_hidden = word.is_secret or (word.hides is not None and word.hides in str(details["input"]))
    value = "" if is_hidden or (inside and details["type"] == "missing") else f" {_shown(details['input'])}"
    own_words = details["type"] == "value_error" or not word.allowed
    reason = str(details["msg"]).removeprefix("Value error, ") if own_words else word.allowed
    return "\n".join(f"{name}:{value} is not allowed: {one}" for one in reason.splitlines())


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)
