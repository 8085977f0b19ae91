"""The programs that a build runs."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from components.on_machine.shared.work import WorkError

Output = IO[str] | int
"""Where a program writes: a file, or a constant of `subprocess`."""


class Tools:
    """All of them have one environment and hold the build's locks: one that outlives this process has them still."""

    def __init__(self, uv: Path, venv: Path, folder: Path, locks: Sequence[int], environment: dict[str, str]) -> None:
        self.uv = uv
        self.python = venv / "bin/python"
        self.environment = environment
        """Grows as compilers are found."""
        self._folder = folder
        self._locks = locks

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        return self.environment.get("PATH", os.defpath)

    def run(
        self,
        *command: str | Path,
        folder: Path | None = None,
        output: IO[str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> bool:
        """Whether a program succeeded. What it says goes to `output`, by default to the log."""
        log = output or sys.stderr
        done = self._done(command, log, log, folder or self._folder, {**self.environment, **(variables or {})})
        return done is not None and done.returncode == 0

    def ask(self, *command: str | Path, errors: Output = subprocess.DEVNULL) -> str | None:
        """What a program prints; None when it failed, or is not there."""
        done = self._done(command, subprocess.PIPE, errors, self._folder, self.environment)
        return done.stdout.strip() if done and done.returncode == 0 else None

    def _done(
        self, command: Sequence[str | Path], stdout: Output, stderr: Output, folder: Path, environment: dict[str, str]
    ) -> "subprocess.CompletedProcess[str] | None":
        """A program that has ended; None when there is none of that name."""
        try:
            return subprocess.run(
                command,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env=environment,
                pass_fds=self._locks,
                text=True,
                check=False,
            )
        except OSError as error:
            if not isinstance(stderr, int):
                print(error, file=stderr, flush=True)
            return None

    def install(self, what: str, *words: str | Path, folder: Path | None = None) -> None:
        """Install packages into the environment; `what` names them for people. `WorkError`."""
        if not self.run(self.uv, "pip", "install", "--python", self.python, *words, folder=folder):
            raise WorkError(f"{what} cannot be installed, see above", "not-installed")
