"""What a starting server does, read from its own log, and how long each stage took.

Runs with the machine's own Python 3.10 or newer.
"""

import re
import time

FIRST = "importing packages"
LOADED = "weights loaded"

# Log texts of vLLM 0.32, in the order in which they come.
STAGES: tuple[tuple[str, str], ...] = (
    (r"vLLM server version|non-default args", "reading the settings"),
    (r"Resolved architecture", "starting the engine"),
    (r"Starting to load model", "loading the weights"),
    (r"Model loading took", LOADED),
    (r"Dynamo bytecode transform|Compiling a graph", "compiling"),
    (r"Available KV cache memory", "warming up"),
    (r"Capturing CUDA graphs|Graph capturing", "capturing graphs"),
    (r"init engine .* took", "starting the API"),
    (r"Application startup complete", "asking for the first token"),
)
PARTS = re.compile(r"Loading \w+ checkpoint shards:.*?\| *(\d+)/(\d+)")
OFFLOADED = re.compile(r"Total CPU offloaded parameters: (\d+(?:\.\d+)?)")


class Stages:
    """Follows a log piece by piece; times are seconds since it began."""

    def __init__(self) -> None:
        self.name = FIRST
        self.detail = ""
        self.offloaded_gib = 0.0
        """GiB of weights that the log says are in the machine's memory."""
        self._place = -1
        self._began = time.monotonic()
        self._entered = self._began
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
        now = time.monotonic()
        return {name: round(taken, 1) for name, taken in {**self._seconds, self.name: now - self._entered}.items()}

    @property
    def tells_of_memory(self) -> bool:
        """The log says how much memory the weights take, which it does at the same level as where they are."""
        return LOADED in self.seconds()

    def __str__(self) -> str:
        return f"{self.name}, {self.detail}" if self.detail else self.name

    def _read(self, line: str) -> None:
        # From then on it may be words of a client: vLLM logs names of models that it does not have.
        if self._place == len(STAGES) - 1:
            return
        for place in range(self._place + 1, len(STAGES)):
            pattern, name = STAGES[place]
            if re.search(pattern, line):
                self._enter(place, name)
        if found := PARTS.search(line):
            self.detail = f"{found[1]} of {found[2]} files"
        if found := OFFLOADED.search(line):
            self.offloaded_gib += float(found[1])

    def _enter(self, place: int, name: str) -> None:
        now = time.monotonic()
        self._seconds[self.name] = now - self._entered
        self._place, self.name, self.detail, self._entered = place, name, "", now
