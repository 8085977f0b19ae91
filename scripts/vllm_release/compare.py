"""What is other in a release of vLLM than in the one before, as lines for the person who pins it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Lists = Mapping[str, Mapping[str, Any]]
"""The generated lists of a release, by the names of their files."""
MOST = 12
"""Names in a line, where nobody has to look at each."""


@dataclass(frozen=True)
class Ours:
    """What this program relies on."""

    flags: frozenset[str]
    """That it sets, or has keys of the settings for."""
    removed: Mapping[str, str]
    """Flags of older releases, with what came instead."""
    variables: frozenset[str]
    paths: Mapping[str, str]
    """That the guard lets through, with their methods."""
    marks: frozenset[str]
    names: frozenset[str]


def report(old: Lists, new: Lists, ours: Ours) -> Iterator[str]:
    """All of it. What begins with `!` breaks something, and what begins with `?` is to be decided."""
    yield from broken(new, ours)
    yield from _flags(old["serve"]["flags"], new["serve"]["flags"], ours)
    yield from _names("variables", old["release"]["variables"], new["release"]["variables"])
    yield from _names("chat templates", old["release"]["chat_templates"], new["release"]["chat_templates"])
    yield from _paths(old["paths"]["paths"], new["paths"]["paths"])
    yield from _failures(old["texts"], new["texts"])
    yield from _quantisation(old["quantisation"], new["quantisation"])
    yield from _architectures(old["architectures"], new["architectures"])
    yield from _names("model types", old["model_types"]["model_types"], new["model_types"]["model_types"])


def broken(new: Lists, ours: Ours) -> Iterator[str]:
    """What this program relies on and the release does not have."""
    flags, variables, paths = new["serve"]["flags"], new["release"]["variables"], new["paths"]["paths"]
    for name in sorted(ours.flags - flags.keys()):
        yield f"! flag {name} is gone, and this program sets it or has a key for it"
    for name in sorted(ours.removed.keys() & flags.keys()):
        yield f"! flag {name} is there again: take it out of flags/removed.json"
    for name in sorted(ours.variables - set(variables)):
        yield f"! variable {name} is gone, and this program sets or refuses it"
    for path, method in ours.paths.items():
        served = paths.get(path, [])
        if method not in served and "ANY" not in served:
            yield f"! path {method} {path} is gone, and the guard lets it through: service/paths.py"
    for mark in sorted(ours.marks - set(new["texts"]["marks"])):
        yield f"! mark of a stage is not there any more: {mark}: service/marks.py"
    for name in sorted(ours.names - set(new["texts"]["names"])):
        yield f"! {name} is gone, and on_machine/service/check_config.py imports it"


def _flags(old: Mapping[str, Any], new: Mapping[str, Any], ours: Ours) -> Iterator[str]:
    for name in sorted(old.keys() - new.keys() - ours.flags):
        yield f"? flag {name} is gone: flags/removed.json, with what came instead"
    for name in sorted(new.keys() - old.keys()):
        yield f"? flag {name} is new: does it open a door (reserved.py), name a file (flags/files.py) or take memory?"
    for name in sorted(old.keys() & new.keys()):
        if found := list(differences(old[name], new[name])):
            yield f"  flag {name}: {'; '.join(found)}"


def _paths(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for path in sorted(new.keys() - old.keys()):
        yield f"? path {'/'.join(new[path])} {path} is new, and closed until service/paths.py has it"
    for path in sorted(old.keys() - new.keys()):
        yield f"  path {path} is gone"
    for path in sorted(old.keys() & new.keys()):
        if found := list(differences(old[path], new[path])):
            yield f"? path {path}: {'; '.join(found)}"


def _failures(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for code in sorted(set(old["failures"]) - set(new["failures"])):
        yield f"? failure {code}: the words of its pattern are not in the source any more: diagnose/server_failures.py"


def _quantisation(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted((old.keys() | new.keys()) - {"vllm", "transformers"}):
        for line in differences(old.get(key), new.get(key), key):
            yield f"? quantisation: {line}"


def _architectures(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for kind in new["kinds"]:
        yield from _names(f"architectures, {kind}", old["kinds"].get(kind, ()), new["kinds"][kind])
    yield from _names("retired architectures", old["retired"], new["retired"])
    yield from _names("architectures of plugins", old["plugins"], new["plugins"])


def _names(what: str, old: Iterable[str], new: Iterable[str]) -> Iterator[str]:
    for word, names in (("gone", set(old) - set(new)), ("new", set(new) - set(old))):
        if names:
            more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
            yield f"  {what}: {len(names)} {word}: {', '.join(sorted(names)[:MOST])}{more}"


def differences(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """A line for each value of a JSON document that is another one."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key), new.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list):
        gone, more = ([repr(one) for one in first if one not in other] for first, other in ((old, new), (new, old)))
        changed = [*(f"-{one}" for one in gone), *(f"+{one}" for one in more)]
        yield f"{place or 'values'}: {', '.join(changed) or 'in another order'}"
    else:
        yield f"{place or 'value'}: {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
