"""The server of a test session, from the session's side."""

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Any, Self

from pydantic import ValidationError

from localcloud.errors import LocalCloudError
from localcloud.testing.account import LambdaCloud
from localcloud.testing.messages import Answer, Order

PACKAGES = Path(__file__).parents[2]
"""The folder that `localcloud` is in; the server finds it there, wherever the session runs."""

END_SECONDS = 60.0
"""How long the server may take to end the last machines."""


@dataclass(frozen=True)
class AccountSettings:
    """What all accounts of a session have in common; the words are those of `python -m localcloud serve`."""

    machines: str = "none"
    time_scale: str = "0"
    rate_limit: str = "off"

    def flags(self) -> list[str]:
        """As the command line takes them."""
        return [
            f"--machines={self.machines}",
            f"--time-scale={self.time_scale}",
            f"--rate-limit={self.rate_limit}",
        ]


class Accounts:
    """A server process that has one account open at a time. As a context it ends with the block.

    When this process ends in any way, killed included, the server notices and leaves nothing behind.
    """

    def __init__(self, settings: AccountSettings) -> None:
        paths = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        # A file and not a pipe, which would stop the server when it is full. Without a name it needs no removing.
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed in close()
        self._lock = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "localcloud.testing", *settings.flags()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            # Ctrl-C is for the session, which then ends the server in order.
            start_new_session=True,
        )

    def fresh(self) -> LambdaCloud:
        """A new, empty account. The one before is closed: its machines are ended and its clients are refused.

        Raises:
            LocalCloudError: the server could not do it, or has ended; the text is what it said last.
        """
        answer = self._order(Order(open=True))
        return LambdaCloud(**answer.model_dump(exclude={"error"}))

    def close_account(self) -> None:
        """Close the account that is open, if there is one.

        Raises:
            LocalCloudError: a machine does not end, or the server has ended.
        """
        self._order(Order(open=False))

    def close(self) -> None:
        """End the server, and with it everything it has made.

        Raises:
            LocalCloudError: it had to be killed, so something may be left.
        """
        process = self._process
        for pipe in (process.stdin, process.stdout):
            # An order that the server did not live to read is still in the pipe.
            with suppress(OSError):
                if pipe:
                    pipe.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise LocalCloudError(f"the local cloud of the tests did not end: {self._last_words()}") from None
        finally:
            self._said.close()

    def _order(self, order: Order) -> Answer:
        pipes = self._process
        assert pipes.stdin
        assert pipes.stdout
        with self._lock:
            try:
                pipes.stdin.write(order.model_dump_json().encode() + b"\n")
                pipes.stdin.flush()
                answer = Answer.model_validate_json(pipes.stdout.readline())
            except (OSError, ValueError, ValidationError):
                raise LocalCloudError(f"the local cloud of the tests has ended: {self._last_words()}") from None
        if answer.error:
            raise LocalCloudError(answer.error)
        return answer

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").splitlines()
        return lines[-1].removeprefix("localcloud: ") if lines else "it said nothing"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self.close()
