"""Lines of vLLM's own log that tell how far a start has come, as they stand in the sources of vLLM 0.32 and 0.33."""

import re
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
    """A part of it, as it stands in the source. A number that ends a stage follows it directly."""
    module: str
    """The file that writes it, below the folder of Python's packages."""
    begins: str
    """The stage from then on."""
    ends: tuple[str, ...] = ()
    """Stages that end with it and of which it says how many seconds they took: the first one, where none of them was
    seen to begin."""
    elsewhere: str = ""
    """The file that writes it in another release that a target may be at."""


API = "vllm/entrypoints/serve/utils/api_utils.py"
STARTUP = "vllm/entrypoints/common/startup.py"
"""In the place of the one before, from 0.33 on."""
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
    (Mark("non-default args: ", API, "reading the settings", elsewhere=STARTUP),),
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
