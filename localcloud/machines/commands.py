"""What runs on a machine, in words that anybody may read: a command line can hold secrets."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath

import psutil

from localcloud.machines.processes import processes_of

_WORD = re.compile("[a-z][a-z-]{0,19}")
"""Too plain to be a secret."""
_PROGRAM = re.compile("[A-Za-z0-9._+-]{1,40}")
_INTERPRETER = re.compile(r"(python|perl|ruby|node)[0-9.]*|(ba|da|z)?sh")
_WORDS = 2


def commands_of(instance_id: str) -> list[str]:
    """The commands that run on a machine, each once. Blocks for some milliseconds."""
    commands = set()
    for process in processes_of(instance_id):
        with suppress(psutil.Error, OSError):
            commands.add(plain_command(process.cmdline()) or process.name())
    return sorted(commands)


def plain_command(argv: Sequence[str]) -> str:
    """The program, for an interpreter its script or module too, and the first words if they are plain; "" for none."""
    names = [PurePath(argv[0]).name.lstrip("-")] if argv and argv[0] else []
    rest = list(argv[1:])
    if names and rest and _INTERPRETER.fullmatch(names[0]):
        if rest[0].startswith("/"):
            names.append(PurePath(rest.pop(0)).name)
        elif rest[0] == "-m" and len(rest) > 1:
            names += rest[:2]
            rest = rest[2:]
    names = [name for name in names if _PROGRAM.fullmatch(name)]
    for word in rest[:_WORDS] if names else []:
        if not _WORD.fullmatch(word):
            break
        names.append(word)
    return " ".join(names)
