"""What the vLLM that is pinned for GPUs knows besides its flags: variables, and chat templates of its own.

The variables are those of the release's own list (vllm/envs.py)
and those that its source asks for besides.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from components.text.spelling import nearest
from components.vllm.release.lists import GPU_TARGET, generated

_LIST: Mapping[str, Any] = generated("release", GPU_TARGET)
ONE_SLIP = 0.94
"""Likeness of a long name with a letter or two wrong. What differs by more may be a variable of another release, of
which recipes are full."""
VARIABLES: frozenset[str] = frozenset(_LIST["variables"])
CHAT_TEMPLATES: tuple[str, ...] = tuple(_LIST["chat_templates"])
"""Files that `chat-template` finds by their names alone."""


def misspelt_variables(given: Iterable[str], version: str | None) -> list[str]:
    """A line for each variable that vLLM does not read and that is like one that it does.

    Others may be of a plugin, or of a library below vLLM. Nothing is known of another release than the listed one.
    """
    if version not in {None, _LIST["vllm"]}:
        return []
    return [
        f"vLLM {_LIST['vllm']} does not read {name}; did you mean {meant}?"
        for name in given
        if name.upper().startswith("VLLM") and name not in VARIABLES
        for meant in nearest(name, VARIABLES, ONE_SLIP)
    ]
