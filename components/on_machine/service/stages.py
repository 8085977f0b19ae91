"""What a starting server does, read from its own log, and how long each stage took."""

import re
import time
from collections.abc import Callable

from components.vllm.release.service.marks import FIRST, MEMORY_OF_WEIGHTS, OFFLOADED, OTHER_RANK, PARTS, PHASES, Mark

SECONDS = re.compile(r"\d+(?:\.\d+)?")


class Stages:
    """Follows a log piece by piece; times are seconds since it began, by `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = FIRST
        self.detail = ""
        self.offloaded_gib = 0.0
        """GiB of weights that the log says are in the machine's memory."""
        self.tells_of_memory = False
        """The log says how much memory the weights take, which it does at the same level as where they are."""
        self._clock = clock
        self._phase = 0
        self._entered = clock()
        self._seconds: dict[str, float] = {}
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """The next piece of the log, wherever it was cut. Progress bars end their lines with a carriage return."""
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + data)
        # A line without end is no line of a log.
        self._rest = self._rest[-10_000:]
        for line in lines:
            self._read(line.decode(errors="replace"))

    def seconds(self) -> dict[str, float]:
        """How long each stage took, the present one until now."""
        present = self._seconds.get(self.name, 0.0) + self._clock() - self._entered
        return {name: round(taken, 1) for name, taken in {**self._seconds, self.name: present}.items()}

    def __str__(self) -> str:
        return f"{self.name}, {self.detail}" if self.detail else self.name

    def _read(self, line: str) -> None:
        # From then on it may be words of a client: vLLM logs names of models that it does not have.
        if self._phase == len(PHASES):
            return
        if MEMORY_OF_WEIGHTS in line:
            self.tells_of_memory = True
        if found := OFFLOADED.search(line):
            self.offloaded_gib += float(found[1])
        if OTHER_RANK.match(line):
            return
        self._follow(line)
        if found := PARTS.search(line):
            self.detail = f"file {found[1]} of {found[2]}"

    def _follow(self, line: str) -> None:
        # What the present phase has is looked for first: some lines come again in a later one.
        for phase in range(max(0, self._phase - 1), len(PHASES)):
            for mark in PHASES[phase]:
                _, text, after = line.partition(mark.text)
                if text:
                    self._phase = phase + 1
                    self._end(mark, after)
                    self._enter(mark.begins, self._clock())
                    return

    def _end(self, mark: Mark, after: str) -> None:
        """Where the end of a stage is all that the log has of it, it began as long ago as it took."""
        took = SECONDS.match(after)
        if took and mark.ends and self.name not in mark.ends:
            self._enter(mark.ends[0], max(self._entered, self._clock() - float(took[0])))

    def _enter(self, name: str, at: float) -> None:
        if name != self.name:
            self._seconds[self.name] = self._seconds.get(self.name, 0.0) + at - self._entered
            self.name, self.detail, self._entered = name, "", at
