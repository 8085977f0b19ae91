"""Which config.json the vLLM that is pinned for GPUs reads: by its `model_type`, or with code of the repository."""

import difflib
from collections.abc import Mapping
from typing import Any

from components.vllm.release.lists import GPU_TARGET, generated

_LIST: Mapping[str, Any] = generated("model_types", GPU_TARGET)
_KNOWN = frozenset(_LIST["model_types"])


def unreadable(config: Mapping[str, Any], trusts_code: bool) -> str | None:
    """Why vLLM cannot read a configuration, in one line; `None` when it can.

    Args:
        config: config.json, with overrides.
        trusts_code: whether the repository's own code may run (`trust-remote-code`).
    """
    named = config.get("model_type")
    if not isinstance(named, str) or named in _KNOWN:
        return None
    code = config.get("auto_map")
    if isinstance(code, Mapping) and "AutoConfig" in code:
        if trusts_code:
            return None
        return (
            f"config.json is of the type {named}, which only code in the repository can read: look at that code, then "
            "set trust-remote-code: true in vllmArgs, or choose another model"
        )
    near = difflib.get_close_matches(named, _KNOWN, n=1, cutoff=0.8)
    meant = f" (the nearest it knows is {near[0]})" if near else ""
    return f"vLLM {_LIST['vllm']} cannot read config.json of the type {named}{meant}: choose another model"
