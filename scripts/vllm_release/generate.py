"""The lists of a release, and what of them this program relies on."""

import ast
from collections.abc import Mapping
from typing import Any

from components.on_machine.service.guard import ALLOWED
from components.settings.settings import FLAGS_WITH_A_KEY
from components.vllm.release.diagnose.server_failures import GONE, SERVER
from components.vllm.release.flags import REMOVED
from components.vllm.release.reserved import FLAGS_OF_OURS, VARIABLES_OF_OURS
from components.vllm.release.service import names
from components.vllm.release.service.marks import PHASES
from scripts.architectures import architectures
from scripts.model_types import model_types
from scripts.quantisation import quantisation
from scripts.release_source import ReleaseSource
from scripts.vllm_release.compare import Ours
from scripts.vllm_release.paths import http_paths
from scripts.vllm_release.texts import CHECK, key_of, names_wanted, texts

NAMES = ("serve", "release", "architectures", "model_types", "quantisation", "paths", "texts")
MARKS = [mark for phase in PHASES for mark in phase if mark.module.startswith("vllm/")]
"""Without those of other packages."""
WRITTEN = ("model", "revision", "shutdown-timeout", "served-model-name")
"""Flags that are written down for the server besides those that have a key."""


def generate(vllm: ReleaseSource, transformers: ReleaseSource, asked: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """All lists; `asked` are those that the release's own parser gives."""
    return {
        **asked,
        "architectures": architectures(vllm, transformers),
        "model_types": model_types(vllm, transformers),
        "quantisation": quantisation(vllm),
        "paths": {"paths": http_paths(vllm)},
        "texts": texts(vllm, transformers, MARKS, (*SERVER, *GONE)),
    }


def ours() -> Ours:
    """What a release has to have."""
    words = (
        *(names.CONFIG, names.HOST, names.MIDDLEWARE, names.CERTIFICATE, names.CERTIFICATE_KEY),
        *(names.CERTIFICATE_REFRESH, *names.ON_CPU[::2]),
    )
    told = {word.removeprefix("--") for word in words}
    wanted = names_wanted(ast.parse(CHECK.read_text()))
    variables = {*VARIABLES_OF_OURS, *names.VARIABLES, *names.CPU_VARIABLES, names.LOGGING_VARIABLE}
    return Ours(
        flags=frozenset({*FLAGS_OF_OURS, *FLAGS_WITH_A_KEY, *names.LOGGING_FLAGS, *WRITTEN, *told}),
        removed=REMOVED,
        variables=frozenset(name for name in variables if name.startswith("VLLM_")),
        paths=ALLOWED,
        marks=frozenset(map(key_of, MARKS)),
        names=frozenset(f"{module}.{name}" for module, found in wanted.items() for name in found),
    )
