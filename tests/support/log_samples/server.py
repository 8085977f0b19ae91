"""vLLM's log, with the lines around a failure and the processes that they come from."""

# The tools write lines as long as they like.
# ruff: noqa: E501

CORE = "(EngineCore pid=4711) ERROR 11-22 10:03:07 [core.py:1510] "

BEGIN = """\
(APIServer pid=4655) INFO 11-22 10:02:11 [utils.py:302] vLLM server version 0.32.0
(APIServer pid=4655) INFO 11-22 10:02:11 [utils.py:238] non-default args: {'model': 'meta-llama/Llama-3.1-70B-Instruct', \
'max_model_len': 131072, 'cpu_offload_gb': 52.0}
(APIServer pid=4655) INFO 11-22 10:02:19 [model.py:590] Resolved architecture: LlamaForCausalLM
(EngineCore pid=4711) INFO 11-22 10:02:31 [core.py:112] Initializing a V1 LLM engine (v0.32.0)
"""
OFFLOADED = """\
(EngineCore pid=4711) INFO 11-22 10:02:58 [base.py:120] Total CPU offloaded parameters: 52.16
(EngineCore pid=4711) INFO 11-22 10:03:01 [gpu_model_runner.py:3110] Model loading took 79.29 GiB memory and 24.1 seconds
"""


def in_core(raised: str, before: str = BEGIN + OFFLOADED, ended: str = "1") -> str:
    """The log of a server whose engine raised this."""
    return f"""{before}\
{CORE}EngineCore failed to start.
{CORE}Traceback (most recent call last):
{CORE}  File "/home/ubuntu/vllm/v1/engine/core.py", line 1484, in run_engine_core
{CORE}    engine_core = EngineCoreProc(*args, engine_index=dp_rank, **kwargs)
{CORE}{raised}
(EngineCore pid=4711) Process EngineCore:
(EngineCore pid=4711) Traceback (most recent call last):
(EngineCore pid=4711)   File "/usr/lib/python3.12/multiprocessing/process.py", line 314, in _bootstrap
(EngineCore pid=4711)     self.run()
(EngineCore pid=4711) {raised}
(APIServer pid=4655) Traceback (most recent call last):
(APIServer pid=4655)   File "/home/ubuntu/vllm/v1/engine/utils.py", line 1431, in wait_for_engine_startup
(APIServer pid=4655)     raise RuntimeError(
(APIServer pid=4655) RuntimeError: Engine core initialization failed. See root cause above. \
Failed core proc(s): {{'EngineCore': {ended}}}
"""


def before_core(raised: str) -> str:
    """The log of a server that ended before it had an engine."""
    return f"""{BEGIN}\
(APIServer pid=4655) Traceback (most recent call last):
(APIServer pid=4655)   File "/home/ubuntu/.local/share/lambda-vllm/venv/bin/vllm", line 10, in <module>
(APIServer pid=4655)     sys.exit(main())
(APIServer pid=4655) {raised}
"""


USAGE = """usage: vllm serve [model_tag] [options]

Launch a local OpenAI-compatible API server to serve LLM
"""

CONTEXT = (
    "ValueError: To serve at least one request with the model's max seq len (131072), (40.00 GiB KV cache is needed, which "
    "is larger than the available KV cache memory (3.64 GiB). {fits}Try increasing `gpu_memory_utilization` (which also "
    "controls CPU memory on the CPU backend) or decreasing `max_model_len` when initializing the engine."
)

# By name: the log, the code of its cause, and words of what is told.
SAMPLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "context too long": (
        in_core(CONTEXT.format(fits="Based on the available memory, the estimated maximum model length is 11920. ")),
        "context-too-long",
        ("maxModelLen: 11920", "auto", "kv-cache-dtype: fp8", "raise cpuOffloadGb by 36.4"),
    ),
    "context too long, nothing fits": (
        in_core(CONTEXT.format(fits="")),
        "context-too-long",
        ("a smaller maxModelLen", "36.4"),
    ),
    "no C compiler": (
        in_core(
            "RuntimeError: Failed to find C compiler. Please specify via CC environment variable or set triton.knobs.build.impl."
        ),
        "no-c-compiler",
        ("there is no C compiler", "lambda-stack-24-04"),
    ),
    "no room for a cache": (
        in_core("ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when"),
        "no-memory-for-kv-cache",
        ("no memory for the KV cache", "raise cpuOffloadGb"),
    ),
    "offload ignored": (
        in_core("ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`", BEGIN),
        "offload-ignored",
        ("ignored cpuOffloadGb", "VLLM_USE_V2_MODEL_RUNNER: 0"),
    ),
    "weights too large": (
        in_core(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 94.50 "
            "GiB of which 211.00 MiB is free.",
        ),
        "out-of-gpu-memory",
        ("larger than the GPU's memory", "cpuOffloadGb", "quantised"),
    ),
    "sampler": (
        in_core(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1002.00 MiB.\n\n"
            f"{CORE}The above exception was the direct cause of the following exception:\n\n"
            f"{CORE}RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. Please try "
            "lowering `max_num_seqs` or `gpu_memory_utilization` when initializing the engine."
        ),
        "too-many-sequences",
        ("1024 requests at once", "lower max-num-seqs in vllmArgs"),
    ),
    "GPU in use": (
        in_core(
            "ValueError: Free memory on device cuda:0 (12.31/94.50 GiB) on startup is less than desired GPU memory "
            "utilization (0.92, 86.94 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
            BEGIN,
        ),
        "gpu-memory-taken",
        ("12.31/94.50 GiB", "nvidia-smi", "gpu-memory-utilization in vllmArgs"),
    ),
    "context longer than the model's": (
        before_core(
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            "(APIServer pid=4655)   Value error, User-specified max_model_len (200000) is greater than the derived "
            "max_model_len (max_position_embeddings=131072 or model_max_length=None in model's config.json)."
        ),
        "context-beyond-model",
        ("maxModelLen: 200000 is longer", "set 131072"),
    ),
    "architecture unknown": (
        before_core(
            "ValueError: Model architectures ['Llama9ForCausalLM'] are not supported for now. Supported architectures: "
            "dict_keys(['AfmoeForCausalLM', 'ApertusForCausalLM'])"
        ),
        "architecture-unsupported",
        ("['Llama9ForCausalLM']", "newer `vllmVersion`"),
    ),
    "architecture dropped": (
        before_core(
            "ValueError: Model architecture PhiMoEForCausalLM was supported in vLLM until v0.25.1, and is not supported "
            "anymore. Please use an older version of vLLM if you want to use this model architecture."
        ),
        "architecture-removed",
        ("PhiMoEForCausalLM any more", "vllmVersion: 0.25.1"),
    ),
    "architecture of a plugin": (
        before_core(
            "ValueError: Model architecture BartModel is not supported in-tree anymore. Please install the plugin"
        ),
        "architecture-needs-plugin",
        ("BartModel needs a plugin", "choose another `model`"),
    ),
    "architecture not inspected": (
        before_core(
            "ValueError: Model architectures ['Qwen9VLForCausalLM'] failed to be inspected. Please check the logs for more"
        ),
        "architecture-not-inspected",
        ("['Qwen9VLForCausalLM']", "missing or broken"),
    ),
    "architecture unknown to transformers": (
        before_core(
            "ValueError: The checkpoint you are trying to load has model type `llama9` but Transformers does not recognize "
            "this architecture. This could be because of an issue with the checkpoint"
        ),
        "transformers-too-old",
        ("newer than this vLLM's transformers", "newer `vllmVersion`"),
    ),
    "own program": (
        before_core(
            "ValueError: The repository acme/odd-1B contains custom code which must be executed to correctly load the model."
        ),
        "needs-remote-code",
        ("trust-remote-code: true",),
    ),
    "bfloat16": (
        in_core(
            "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla V100 GPU has "
            "compute capability 7.0. You can use float16 instead by explicitly setting the `dtype` flag",
            BEGIN,
        ),
        "no-bfloat16",
        ("dtype: half", "vllmArgs"),
    ),
    "old GPU for the quantisation": (
        in_core(
            "ValueError: The quantization method fp8 is not supported for the current GPU. Minimum capability: 89."
        ),
        "quantisation-unsupported",
        ("too old for the checkpoint's quantisation",),
    ),
    "heads": (
        before_core("ValueError: Total number of attention heads (40) must be divisible by tensor parallel size (3)."),
        "heads-not-divisible",
        ("3 GPUs cannot share 40 attention heads", "tensor-parallel-size"),
    ),
    "port taken": (
        before_core(
            "OSError: [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in use"
        ),
        "port-taken",
        ("another `port`",),
    ),
    "slow loading": (
        before_core(
            "TimeoutError: Timed out waiting for engine core processes to start. This is often caused by slow weight loading "
            "for large models. Waited 600s (configured by VLLM_ENGINE_READY_TIMEOUT_S)."
        ),
        "load-timeout",
        ("VLLM_ENGINE_READY_TIMEOUT_S: 3600", "vllmEnv"),
    ),
    "swap-space": (
        USAGE + "vllm: error: unrecognized arguments: --swap-space 4\n",
        "swap-space-removed",
        ("swap-space", "take it out of vllmArgs"),
    ),
    "disable-log-requests": (
        USAGE + "vllm: error: unrecognized arguments: --disable-log-requests\n",
        "disable-log-requests-removed",
        ("take it out of vllmArgs", "enable-log-requests"),
    ),
    "num-scheduler-steps": (
        USAGE + "vllm: error: unrecognized arguments: --num-scheduler-steps 8\n",
        "num-scheduler-steps-removed",
        ("no num-scheduler-steps any more",),
    ),
    "another flag": (
        USAGE + "vllm: error: unrecognized arguments: --max-num-sequences 64\n",
        "unknown-flag",
        ("does not know --max-num-sequences 64", "correct vllmArgs"),
    ),
    "value of a flag": (
        USAGE + "vllm serve: error: argument --dtype: invalid choice: 'bf16' (choose from auto, half, bfloat16)\n",
        "flag-refused",
        ("argument --dtype: invalid choice: 'bf16'", "vllmArgs"),
    ),
    "old driver": (
        in_core(
            "RuntimeError: The NVIDIA driver on your system is too old (found version 12080). Please update your GPU driver by "
            "downloading and installing a new version",
            BEGIN,
        ),
        "driver-too-old",
        ("driver: compat", "driver: upgrade"),
    ),
    "PTX": (
        in_core("torch.AcceleratorError: CUDA error: the provided PTX was compiled with an unsupported toolchain."),
        "driver-too-old-for-kernel",
        ("driver: upgrade",),
    ),
    "compatibility libraries refused": (
        in_core(
            "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: forward compatibility was attempted on non "
            "supported HW",
            BEGIN,
        ),
        "compat-unsupported",
        ("compatibility libraries do not work", "driver: upgrade"),
    ),
    "driver and library mismatch": (
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.105\n"
        + before_core("RuntimeError: Failed to infer device type, please set the environment variable"),
        "driver-not-loaded",
        ("restart the instance",),
    ),
    "libcudart": (
        before_core("RuntimeError: Failed to infer device type, please set the environment variable").replace(
            "(APIServer pid=4655) Traceback",
            "(APIServer pid=4655) WARNING 11-22 10:02:12 [__init__.py:80] Failed to import from vllm._C: ImportError("
            "'libcudart.so.13: cannot open shared object file: No such file or directory')\n(APIServer pid=4655) Traceback",
        ),
        "wrong-cuda",
        ("wants CUDA 13", "vllmVersion"),
    ),
    "torch for CPUs": (
        in_core("AssertionError: Torch not compiled with CUDA enabled", BEGIN),
        "torch-for-cpus",
        ("a torch for CPUs", "install: wheel"),
    ),
    "no GPU": (
        before_core(
            "RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG`"
        ),
        "gpu-not-seen",
        ("sees no GPU", "nvidia-smi"),
    ),
    "killed for its memory": (
        in_core("OSError: [Errno 5] while reading weights", ended="-9"),
        "killed",
        ("ran out of memory, not the GPU", "cpuOffloadGb"),
    ),
    "no memory on the machine": (
        in_core(
            "RuntimeError: [enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to"
        ),
        "out-of-memory",
        ("ran out of memory, not the GPU", "cpuOffloadGb"),
    ),
    "disk full": (
        in_core("OSError: [Errno 28] No space left on device: '/home/ubuntu/.cache/vllm'"),
        "disk-full",
        ("disk is full",),
    ),
    "gated, told by vLLM": (
        before_core(
            "OSError: You are trying to access a gated repo.\n(APIServer pid=4655) Make sure to have access to it at "
            "https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct.\n(APIServer pid=4655) 401 Client Error. (Request ID: "
            "Root=1-6561)\n(APIServer pid=4655) Cannot access gated repo for url"
        ),
        "gated",
        ("accept the licence",),
    ),
    "a typo in a name": (
        before_core(
            "OSError: meta-lama/Llama-3.1-8B is not a local folder and is not a valid model identifier listed on"
        ),
        "no-such-model",
        ("check `model` and hfToken",),
    ),
    "asks for what is not there": (
        before_core(
            "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cache"
        ),
        "not-downloaded",
        ("files that were not downloaded", "vllmArgs"),
    ),
    "an error that is in no table": (
        in_core("acme.KernelError: the frobnicator has no handle"),
        "unknown",
        ("acme.KernelError: the frobnicator has no handle",),
    ),
    "an error of a worker that is in no table": (
        """(Worker_TP1 pid=5011) ERROR 11-22 10:03:07 [multiproc_executor.py:953] WorkerProc failed to start.
(Worker_TP1 pid=5011) ERROR 11-22 10:03:07 [multiproc_executor.py:953] Traceback (most recent call last):
(Worker_TP1 pid=5011) ERROR 11-22 10:03:07 [multiproc_executor.py:953] AssertionError: odd number of rotary halves
(EngineCore pid=4711) ERROR 11-22 10:03:08 [core.py:1510] EngineCore failed to start.
(EngineCore pid=4711) ERROR 11-22 10:03:08 [core.py:1510] Exception: WorkerProc initialization failed due to an exception \
in a background process. See stack trace for root cause.
(APIServer pid=4655) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
""",
        "unknown",
        ("AssertionError: odd number of rotary halves",),
    ),
    "an error of the one worker on a CPU": (
        """(VllmWorker-0 pid=5011) ERROR 11-22 10:03:07 [multiproc_executor.py:953] WorkerProc failed to start.
(VllmWorker-0 pid=5011) ERROR 11-22 10:03:07 [multiproc_executor.py:953] ModuleNotFoundError: No module named 'no'
(EngineCore pid=4711) ERROR 11-22 10:03:08 [core.py:1510] EngineCore failed to start.
(APIServer pid=4655) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
""",
        "unknown",
        ("ModuleNotFoundError: No module named 'no'",),
    ),
    "a variable that is gone": (
        "(APIServer pid=4655) WARNING 11-22 10:02:10 [envs.py:1900] Unknown vLLM environment variable detected: "
        "VLLM_ATTENTION_BACKEND\n" + in_core("ValueError: No valid attention backend found for cuda"),
        "unknown",
        ("No valid attention backend found", "VLLM_ATTENTION_BACKEND is gone", "attention-backend"),
    ),
    "memory that is only reported": (
        "(EngineCore pid=4711) INFO 11-22 10:03:01 [gpu_worker.py:410] Free memory on device (94.1/94.5 GiB) on startup. Desired "
        "GPU memory utilization is (0.92, 86.94 GiB). CUDA out of memory did not happen.\n"
        + in_core("ValueError: rope_scaling has no field factor"),
        "unknown",
        ("rope_scaling has no field factor",),
    ),
}
