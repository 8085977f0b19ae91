"""A terminal in which a user talks with the model: `python -m ops chat`."""

import asyncio
import fcntl
import os
import pty
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.ops_stack import OpsStack
from tests.support.polling import until_async

SECONDS = 240.0


@asynccontextmanager
async def chat_at_terminal(stack: OpsStack, **environment: str) -> AsyncIterator["Screen"]:
    """It has asked for the first line; in the end the user leaves it with Ctrl+D, and it ends well."""
    ours, theirs = pty.openpty()
    chat = await asyncio.create_subprocess_exec(
        *stack.command, "chat", "--project", str(stack.folder),
        env={**stack.environment, **environment}, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=take_terminal,
    )  # fmt: skip
    os.close(theirs)
    screen = Screen(ours)
    try:
        await screen.shows("> ")
        yield screen
        screen.types(b"\x04")
        assert await asyncio.wait_for(chat.wait(), SECONDS) == 0
    finally:
        screen.close()


def take_terminal() -> None:
    """Standard input becomes the terminal from which Ctrl+C comes."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Screen:
    """What a program writes to a terminal."""

    def __init__(self, descriptor: int) -> None:
        self.text = ""
        self._descriptor = descriptor
        self._seen = 0
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            self.text += os.read(self._descriptor, 65536).decode(errors="replace")
        except OSError:
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def types(self, keys: bytes) -> None:
        """What a user types."""
        os.write(self._descriptor, keys)

    async def shows(self, words: str) -> None:
        """Wait for words that come after those waited for before."""
        await until_async(lambda: words in self.text[self._seen :], SECONDS)
        self._seen = self.text.index(words, self._seen) + len(words)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
