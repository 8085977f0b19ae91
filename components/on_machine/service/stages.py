"""What a starting server does, read from its own log, and how long each stage took."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST = "importing packages"
MEASURING = "measuring the memory"
TRACING = "tracing the model"
COMPILING = "compiling the model"
FROM_CACHE = "loading compiled programs"
ALLOCATING = "allocating the KV cache"
KERNELS = "compiling kernels"
GRAPHS = "capturing graphs"


@dataclass(frozen=True)
class Mark:
    """A line of the log with which another stage begins."""

    text: str
    """A part of it, as it stands in the source of vLLM 0.32. A number that ends a stage follows it directly."""
    module: str
    """The file that writes it, below the folder of Python's packages."""
    begins: str
    """The stage from then on."""
    ends: tuple[str, ...] = ()
    """Stages that end with it and of which it says how many seconds they took: the first one, where none of them was
    seen to begin."""


API = "vllm/entrypoints/serve/utils/api_utils.py"
CORE = "vllm/v1/engine/core.py"
WORKER = "vllm/v1/worker/gpu_worker.py"
V1 = "vllm/v1/worker/gpu_model_runner.py"
V2 = "vllm/v1/worker/gpu/model_runner.py"
V2_GRAPHS = "vllm/v1/worker/gpu/cudagraph_utils.py"
CPU_V1 = "vllm/v1/worker/cpu_model_runner.py"
CPU_V2 = "vllm/v1/worker/cpu/model_runner.py"
COMPILER = "vllm/compilation/monitor.py"
WARM_UP = "vllm/model_executor/warmup/kernel_warmup.py"

PHASES: tuple[tuple[Mark, ...], ...] = (
    (Mark("non-default args: ", API, "reading the settings"),),
    (Mark("Resolved architecture: ", "vllm/config/model.py", "starting the engine"),),
    (Mark("Initializing a V1 LLM engine", CORE, "starting the workers"),),
    (
        Mark("Starting to load model ", V1, "loading the weights"),
        Mark("Starting to load model ", CPU_V1, "loading the weights"),
        Mark("Loading model from scratch...", V2, "loading the weights"),
    ),
    (Mark("Loading weights took ", "vllm/model_executor/model_loader/default_loader.py", "preparing the weights"),),
    # A model may have several parts that are compiled, one after the other.
    (
        Mark("Model loading took ", V1, MEASURING),
        Mark("Model loading took ", V2, MEASURING),
        # All that is said on a CPU, where the memory is not measured.
        Mark("Warming up model for the compilation...", CPU_V1, COMPILING),
        Mark("Warming up model for the compilation...", CPU_V2, COMPILING),
        Mark("Starting torch.compile", COMPILER, TRACING),
        Mark("Dynamo bytecode transform time: ", "vllm/compilation/backends.py", COMPILING, (TRACING,)),
        # Also after the whole was found in the cache, which it does not say before.
        Mark("torch.compile took ", COMPILER, MEASURING, (FROM_CACHE, TRACING, COMPILING)),
        Mark("Profiling CUDA graph memory: ", V1, MEASURING),
        # Some are captured to see how much memory they take, and thrown away.
        Mark("Capturing CUDA graphs", V2_GRAPHS, MEASURING),
        Mark("Graph capturing finished in ", V2, MEASURING),
    ),
    (
        Mark("Available KV cache memory: ", WORKER, ALLOCATING),
        Mark(" KV cache size: ", "vllm/v1/core/kv_cache_utils.py", ALLOCATING),
        Mark("Compile and warming up model for size ", WORKER, KERNELS),
        Mark("JIT kernel warmup starting.", WARM_UP, KERNELS),
        Mark("DeepGEMM warmup", "vllm/model_executor/warmup/deep_gemm_warmup.py", KERNELS),
        Mark("Running FlashInfer autotune with ", WARM_UP, KERNELS),
        Mark("Warming up FlashInfer attention.", WARM_UP, KERNELS),
        Mark("Capturing CUDA graphs", V1, GRAPHS),
        Mark("Capturing CUDA graphs", V2_GRAPHS, GRAPHS),
        Mark("Graph capturing finished in ", V1, "warming up", (GRAPHS,)),
        Mark("Graph capturing finished in ", V2, "warming up", (GRAPHS,)),
    ),
    (Mark("init engine (profile, create kv cache, warmup model) took ", CORE, "starting the API"),),
    (Mark("Application startup complete.", "uvicorn/lifespan/on.py", "asking for the first token"),),
)
"""They come one after the other; within one the stages change as the lines come."""

OTHER_RANK = re.compile(r"^\((?:Worker|EngineCore)_\w*?[A-Z]0*[1-9]")
"""Lines of processes that do the same as another one, on another GPU."""
MEMORY_OF_WEIGHTS = "Model loading took "
PARTS = re.compile(r"Loading \w+ checkpoint shards:.*?\| *(\d+)/(\d+)")
OFFLOADED = re.compile(r"Total CPU offloaded parameters: (\d+(?:\.\d+)?)")
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
