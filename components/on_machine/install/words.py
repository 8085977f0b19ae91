"""Command lines of the install and of the build from source."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import NoReturn

from components.on_machine.shared.work import WorkError


class Words(ArgumentParser):
    """A command line whose errors are those of work."""

    def error(self, message: str) -> NoReturn:
        raise WorkError(f"{message} ({' '.join(self.format_usage().split())})", "wrong-words")


def compilers(word: str) -> int:
    """The number of compilers that a word says."""
    if not word.isdecimal() or int(word) < 1:
        raise ArgumentTypeError(f"{word} is not the number of compilers at once, which is 1 or more")
    return int(word)
