"""`chat`: the model in the terminal."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import TextIO

from ops.conversation import Conversation
from ops.errors import OpsError
from ops.outputs import StackOutputs
from ops.say import say
from ops.server import reach

HELP = """\
  /system TEXT  what the model is told before all else; without TEXT nothing
  /reset        forget what was said
  /quit         end, as Ctrl+D does
A line that ends with \\ goes on in the next one; so does everything between two lines of \"\"\".
Ctrl+C stops an answer."""
PROMPT, MORE = "> ", ". "
BLOCK = '"""'
DIM, PLAIN = "\033[2m", "\033[0m"


def chat(outputs: StackOutputs, prompt: str | None, system: str | None, max_tokens: int | None) -> int:
    """Talk until the user ends it; with `prompt`, or a standard input that is no terminal, one answer only."""
    with reach(outputs) as server:
        conversation = Conversation(server, outputs.model, max_tokens, system)
        if prompt is not None:
            return once(conversation, prompt)
        asked = chat_input()
        if not asked.isatty():
            return once(conversation, asked.read().strip())
        with suppress(ImportError):
            import readline  # noqa: F401  # gives `input` its editing and history
        say(f"{outputs.model}; /help says what else there is")
        return talk(conversation, input)


def chat_input() -> TextIO:
    """Standard input, in which what is not UTF-8 is kept until it can be told of."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    return sys.stdin


def once(conversation: Conversation, prompt: str) -> int:
    """One question, one answer; OpsError when there is nothing to ask."""
    if not prompt:
        raise OpsError("nothing to ask: give --prompt TEXT, or a text on standard input")
    return 0 if answer(conversation, prompt) else 130


def talk(conversation: Conversation, read: Callable[[str], str]) -> int:
    """Until /quit or the end of the input; `read` asks for a line as `input` does."""
    for said in turns(read):
        command, _, rest = said.partition(" ")
        if command == "/quit":
            break
        if command == "/help":
            print(HELP)
        elif command == "/reset":
            conversation.reset()
            say("a new conversation")
        elif command == "/system":
            conversation.system = rest.strip() or None
            say("the model is told that from now on" if conversation.system else "the model is told nothing")
        elif command.startswith("/") and command[1:].isalpha():
            say(f"there is no {command}: /help lists what there is")
        elif said.strip():
            try:
                answer(conversation, said)
            except OpsError as error:
                say(str(error))
    return 0


def turns(read: Callable[[str], str]) -> Iterator[str]:
    """What the user says, a turn each; Ctrl+C gives up a line, Ctrl+D ends."""
    while True:
        try:
            yield turn(read)
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return


def turn(read: Callable[[str], str]) -> str:
    """One turn, of one line or several."""
    line = read(PROMPT)
    if line.strip() == BLOCK:
        block = []
        while (line := read(MORE)).strip() != BLOCK:
            block.append(line)
        return "\n".join(block)
    said = []
    while line.endswith("\\"):
        said.append(line[:-1])
        line = read(MORE)
    return "\n".join([*said, line])


def answer(conversation: Conversation, prompt: str) -> bool:
    """Print the answer as it comes and how fast it came; False when Ctrl+C has stopped it."""
    whole, shown = True, False
    # Closed at once, so that the server stops too.
    with closing(conversation.ask(prompt)) as pieces:
        try:
            for piece in pieces:
                print(piece, end="", flush=True)
                shown = True
        except KeyboardInterrupt:
            whole = False
        finally:
            if shown:
                print(flush=True)
    colour = sys.stderr.isatty()
    stopped = "" if whole else "stopped: "
    print(
        f"{DIM if colour else ''}[{stopped}{conversation.speed}]{PLAIN if colour else ''}", file=sys.stderr, flush=True
    )
    return whole
