"""What an install is asked for, by its command line."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.on_machine.install.words import Words, compilers
from components.vllm.release.install.versions import PINNED, TARGETS

WHEEL, PRECOMPILED, SOURCE = "wheel", "precompiled", "source"


@dataclass(frozen=True)
class Request:
    """The words of the command line."""

    install: str
    """`wheel`, `precompiled` or `source`."""
    driver: str
    """The mode of the driver: `auto`, `compat`, `upgrade` or `keep`."""
    version: str
    """Of vLLM; `pinned` for the one that is pinned for this machine's target."""
    triton: bool = False
    """Build Triton too."""
    jobs: int | None = None
    """Compilers at once; None for as many as the machine bears."""
    environment_key: str = ""
    """By which a setting of the server finds the environment; empty by hand."""

    def version_for(self, target: str) -> str:
        """The version of vLLM on a target of versions.json."""
        return TARGETS[target].vllm if self.version == PINNED else self.version


def parse(words: Sequence[str]) -> Request:
    """The command line as a request. `WorkError` when the words are wrong."""
    parser = Words("install", description="Installs vLLM into an environment of its own.")
    parser.add_argument("install", nargs="?", default=WHEEL, choices=(WHEEL, PRECOMPILED, SOURCE))
    parser.add_argument("driver", nargs="?", default="auto", metavar="DRIVER_MODE")
    parser.add_argument("version", nargs="?", default=PINNED, metavar="VLLM_VERSION")
    parser.add_argument("--triton", action="store_true", help="build Triton too")
    parser.add_argument("--jobs", type=compilers, help="compilers at once")
    parser.add_argument("--environment-key", default="", help="name of the link to the environment")
    return Request(**vars(parser.parse_args(words)))
