"""Builds vLLM from its source by hand, into an environment that is there.

    python3 -m components.on_machine.install.source VENV VERSION build|precompiled [--triton] [--jobs N]

`precompiled` takes the compiled parts from the release's own wheel. `--triton` builds Triton as well. N is the number
of compilers at once; without it, it is as many as cores and memory bear.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from components.on_machine.install.source.build import build
from components.on_machine.install.source.plan import BUILD, PRECOMPILED
from components.on_machine.shared.paths import places
from components.on_machine.shared.work import WorkError, run_work


class _Words(argparse.ArgumentParser):
    """A command line whose errors are those of work."""

    def error(self, message: str) -> NoReturn:
        raise WorkError(f"{message} ({' '.join(self.format_usage().split())})", "wrong-words")


def compilers(word: str) -> int:
    """The number of compilers that a word says."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word} is not the number of compilers at once, which is 1 or more")
    return int(word)


def main(words: Sequence[str]) -> None:
    """Build as the words say. `WorkError`."""
    parser = _Words(prog="source")
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
