"""Whole starts of vLLM 0.32 up to the first request, one log for each runner; routes and warnings left out."""

# The tools write lines as long as they like.
# ruff: noqa: E501

from dataclasses import dataclass

API = "(APIServer pid=1902) INFO 11-29 "
CORE = "(EngineCore pid=2040) INFO 11-29 "
WORKER = "(Worker pid=2139) INFO 11-29 "

BEGIN = f"""\
{API}10:00:12 [api_utils.py:347]  ▄▄ ▄█ █     █     █ ▀▄▀ █  version 0.32.0
{API}10:00:12 [api_utils.py:286] non-default args: {{'model': 'meta-llama/Llama-3.1-8B-Instruct', 'port': 8000}}
{API}10:00:32 [model.py:733] Resolved architecture: LlamaForCausalLM
{API}10:00:32 [model.py:2152] Using max model len 131072
{CORE}10:00:51 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='meta-llama/Llama-3.1-8B-Instruct'
"""
BAR = "Loading safetensors checkpoint shards: {percent:3}% Completed | {done}/4 [00:0{done}<00:01,  1.20it/s]\n"
LOADING = (
    "".join(BAR.format(percent=25 * done, done=done) for done in range(5))
    + f"{CORE}10:01:06 [default_loader.py:501] Loading weights took 8.02 seconds\n"
)
COMPILED = f"""\
{CORE}10:01:10 [monitor.py:40] Starting torch.compile
{CORE}10:01:17 [backends.py:1104] Using cache directory: /home/ubuntu/.cache/vllm/torch_compile_cache/8e1b/rank_0_0/backbone for vLLM's torch.compile
{CORE}10:01:17 [backends.py:1166] Dynamo bytecode transform time: 7.51 s
{CORE}10:01:36 [backends.py:398] Compiling a graph for compile range (1, 8192) takes 18.02 s
{CORE}10:01:37 [decorators.py:743] saved AOT compiled function to /home/ubuntu/.cache/vllm/torch_compile_cache/torch_aot_compile/8e1b/rank_0_0/model
{CORE}10:01:37 [monitor.py:62] torch.compile took 27.31 s in total
{CORE}10:01:38 [monitor.py:91] Initial profiling/warmup run took 0.80 s
"""
LOADED_FROM_CACHE = f"""\
{CORE}10:01:16 [decorators.py:319] Directly load AOT compilation from path /home/ubuntu/.cache/vllm/torch_compile_cache/torch_aot_compile/8e1b/rank_0_0/model
{CORE}10:01:16 [monitor.py:62] torch.compile took 5.00 s in total
{CORE}10:01:17 [monitor.py:91] Initial profiling/warmup run took 0.61 s
"""
MEASURED = f"""\
{CORE}10:01:41 [gpu_worker.py:759] Available KV cache memory: 112.31 GiB
{CORE}10:01:41 [kv_cache_utils.py:2327] GPU KV cache size: 919,824 tokens, Maximum concurrency for 131,072 tokens per request: 7.02x
"""
KERNELS = f"""\
{CORE}10:01:42 [gpu_worker.py:939] Compile and warming up model for size 8192
{CORE}10:01:44 [kernel_warmup.py:176] JIT kernel warmup starting.
{CORE}10:01:50 [kernel_warmup.py:189] JIT kernel warmup finished in 6.02s.
DeepGEMM warmup:  50%|#####     | 512/1024 [00:01<00:01, 512.00it/s]
{CORE}10:01:52 [kernel_warmup.py:367] Running FlashInfer autotune with 8192 tokens and token buckets (1, 2, 4).
{CORE}10:01:57 [kernel_warmup.py:291] Warming up FlashInfer attention.
"""
END = f"""\
{API}10:02:06 [entry.py:136] Supported tasks: ['generate']
{API}10:02:06 [entry.py:140] Starting vLLM server on https://0.0.0.0:8000
INFO:     Started server process [1902]
INFO:     Waiting for application startup.
INFO:     Application startup complete.
"""

V1 = f"""{BEGIN}\
{CORE}10:00:58 [gpu_model_runner.py:5040] Starting to load model meta-llama/Llama-3.1-8B-Instruct...
{LOADING}\
{CORE}10:01:09 [gpu_model_runner.py:5150] Model loading took 14.99 GiB memory and 10.821000 seconds
{COMPILED}\
{CORE}10:01:39 [gpu_model_runner.py:6369] Profiling CUDA graph memory: PIECEWISE=51 (largest=512), FULL=35 (largest=256)
{CORE}10:01:40 [gpu_model_runner.py:6477] Estimated CUDA graph memory: 0.62 GiB total
{MEASURED}\
{KERNELS}\
(EngineCore pid=2040) Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):   0%|          | 0/51 [00:00<?, ?it/s]
(EngineCore pid=2040) Capturing CUDA graphs (decode, FULL): 100%|##########| 35/35 [00:01<00:00, 25.86it/s]
{CORE}10:02:04 [gpu_model_runner.py:6582] Graph capturing finished in 5 secs, took 0.49 GiB
{CORE}10:02:05 [core.py:395] init engine (profile, create kv cache, warmup model) took 56.31 s (compilation: 27.31 s)
{END}"""

V2 = f"""{BEGIN}\
{CORE}10:00:53 [gpu_worker.py:518] Using V2 Model Runner
{CORE}10:00:58 [model_runner.py:392] Loading model from scratch...
{LOADING}\
{CORE}10:01:09 [model_runner.py:424] Model loading took 14.99 GiB memory and 10.821000 seconds
{COMPILED}\
(EngineCore pid=2040) Capturing CUDA graphs (PIECEWISE): 100%|##########| 2/2 [00:00<00:00, 9.90it/s]
{CORE}10:01:40 [model_runner.py:1127] Graph capturing finished in 1 secs, took 0.31 GiB
{MEASURED}\
{KERNELS}\
(EngineCore pid=2040) Capturing CUDA graphs (PIECEWISE):   0%|          | 0/51 [00:00<?, ?it/s]
(EngineCore pid=2040) Capturing CUDA graphs (FULL): 100%|##########| 35/35 [00:01<00:00, 25.86it/s]
{CORE}10:02:04 [model_runner.py:1127] Graph capturing finished in 5 secs, took 0.98 GiB
{CORE}10:02:05 [core.py:395] init engine (profile, create kv cache, warmup model) took 56.31 s (compilation: 27.31 s)
{END}"""

CPU_BEGIN = f"""{BEGIN}\
{WORKER}10:00:58 [cpu_model_runner.py:68] Starting to load model meta-llama/Llama-3.1-8B-Instruct...
{LOADING}"""
CPU_COMPILED = f"""\
{WORKER}10:01:09 [cpu_model_runner.py:87] Warming up model for the compilation...
{WORKER}10:01:37 [decorators.py:743] [backbone] saved AOT compiled function to /home/ubuntu/.cache/vllm/torch_compile_cache/torch_aot_compile/8e1b/rank_0_0/model
{WORKER}10:01:38 [monitor.py:91] [backbone] Initial profiling/warmup run took 0.15 s
{WORKER}10:01:38 [cpu_model_runner.py:91] Warming up done.
"""
CPU_END = f"""\
{WORKER}10:01:39 [cpu_worker.py:260] Explicitly set (1.0/13.34) GiB for KV cache on node 0.
{CORE}10:01:39 [kv_cache_utils.py:2327] CPU KV cache size: 4,194,304 tokens, Maximum concurrency for 512 tokens per request: 8192.00x
{CORE}10:01:41 [core.py:402] init engine (profile, create kv cache, warmup model) took 32.00 s
{END}"""

EARLY = (
    "importing packages",
    "reading the settings",
    "starting the engine",
    "starting the workers",
    "loading the weights",
    "preparing the weights",
)
LATE = ("allocating the KV cache", "compiling kernels", "capturing graphs", "warming up")
LAST = ("starting the API", "asking for the first token")


@dataclass(frozen=True)
class Start:
    """A log and the stages that it has, in their order."""

    log: str
    stages: tuple[str, ...]


CPU_STAGES = (*EARLY, "allocating the KV cache", *LAST)
"""Of a start on a CPU with `enforce-eager`."""

STARTS = {
    "V1": Start(V1, (*EARLY, "measuring the memory", "tracing the model", "compiling the model", *LATE, *LAST)),
    "V2": Start(V2, (*EARLY, "measuring the memory", "tracing the model", "compiling the model", *LATE, *LAST)),
    "V2, compiled before": Start(
        V2.replace(COMPILED, LOADED_FROM_CACHE),
        (*EARLY, "measuring the memory", "loading compiled programs", *LATE, *LAST),
    ),
    "V1, compiled before": Start(
        V1.replace(COMPILED, LOADED_FROM_CACHE),
        (*EARLY, "measuring the memory", "loading compiled programs", *LATE, *LAST),
    ),
    "CPU": Start(CPU_BEGIN + CPU_COMPILED + CPU_END, (*EARLY, "compiling the model", "allocating the KV cache", *LAST)),
    "CPU, eager": Start(CPU_BEGIN + CPU_END, CPU_STAGES),
    "CPU, V2": Start(
        (CPU_BEGIN + CPU_COMPILED + CPU_END)
        .replace(
            "cpu_model_runner.py:68] Starting to load model meta-llama/Llama-3.1-8B-Instruct",
            "model_runner.py:392] Loading model from scratch",
        )
        .replace("cpu_model_runner.py", "model_runner.py"),
        (*EARLY, "compiling the model", "allocating the KV cache", *LAST),
    ),
}
