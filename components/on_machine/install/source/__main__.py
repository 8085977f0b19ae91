"""Builds vLLM from its source by hand, into an environment that is there.

    python3 -m components.on_machine.install.source VENV VERSION build|precompiled [--triton] [--jobs N]

`precompiled` takes the compiled parts from the release's own wheel. `--triton` builds Triton as well. N is the number
of compilers at once; without it, it is as many as cores and memory bear.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from components.on_machine.install.source.build import build
from components.on_machine.install.source.plan import BUILD, PRECOMPILED
from components.on_machine.install.words import Words, compilers
from components.on_machine.shared.paths import places
from components.on_machine.shared.work import run_work


def main(words: Sequence[str]) -> None:
    """Build as the words say. `WorkError`."""
    parser = Words(prog="source")
    parser.add_argument("venv", type=Path)
    parser.add_argument("version")
    parser.add_argument("way", choices=(BUILD, PRECOMPILED))
    parser.add_argument("--triton", action="store_true")
    parser.add_argument("--jobs", type=compilers)
    asked = parser.parse_args(words)
    # Programs are run in other folders.
    venv = asked.venv.absolute()
    build(places(), venv, asked.version, way=asked.way, triton=asked.triton, jobs=asked.jobs)


if __name__ == "__main__":
    run_work(lambda: main(sys.argv[1:]))
