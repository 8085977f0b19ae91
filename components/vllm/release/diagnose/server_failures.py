"""Texts that vLLM 0.19 to 0.33 fails with."""

import re

from components.vllm.release.diagnose.rows import Row


def too_long(match: "re.Match[str]") -> str:
    """A context for which there is no room, with what each of the remedies takes."""
    tokens, needed, there, fitting = match.groups()
    shorter = f"maxModelLen: {fitting} (or less, or auto)" if fitting else "a smaller maxModelLen, or auto"
    more = max(0.1, float(needed) - float(there))
    return (
        f"a context of {tokens} tokens needs {needed} GiB of KV cache, {there} GiB are left beside the weights: set "
        f"{shorter}, or `kv-cache-dtype: fp8` in vllmArgs, which halves the cache, or raise cpuOffloadGb by {more:.1f}"
    )


# What the server finds wrong, from the settings to the memory.
SERVER: tuple[Row, ...] = (
    Row(
        "swap-space-removed",
        r"unrecognized arguments:.*--swap-space",
        "this vLLM has no swap-space any more: take it out of vllmArgs",
    ),
    Row(
        "disable-log-requests-removed",
        r"unrecognized arguments:.*--disable-log-requests",
        "this vLLM has no disable-log-requests any more: take it out of vllmArgs; requests are logged only with "
        "`enable-log-requests: true`",
    ),
    Row(
        "num-scheduler-steps-removed",
        r"unrecognized arguments:.*--num-scheduler-steps",
        "this vLLM has no num-scheduler-steps any more: take it out of vllmArgs",
    ),
    Row(
        "unknown-flag",
        r"unrecognized arguments: (.{1,120})",
        "this vLLM does not know \\1: correct vllmArgs, or set another `vllmVersion`",
    ),
    Row("flag-refused", r"error: (argument --\S+: .{1,160})", "vLLM refuses a flag: \\1: correct vllmArgs"),
    Row(
        "port-taken",
        r"(?i)address already in use",
        "the port is taken on the machine: choose another `port`, or end what listens there",
    ),
    Row(
        "architecture-removed",
        r"Model architectures? (\S+|\[.*?\]) was supported in vLLM until v?([\d.]*\d)",
        "this vLLM does not support the architecture \\1 any more: set `vllmVersion: \\2` and `install: source`",
    ),
    Row(
        "architecture-needs-plugin",
        r"Model architectures? (\S+|\[.*?\]) is not supported in-tree",
        "the architecture \\1 needs a plugin, which is not installed here: choose another `model`",
    ),
    Row(
        "architecture-unsupported",
        r"Model architectures? (\[.*?\]) are not supported",
        "this vLLM does not support the architecture \\1: set a newer `vllmVersion`, or choose another `model`",
    ),
    Row(
        "transformers-too-old",
        r"Transformers does not recognize this architecture",
        "the model is newer than this vLLM's transformers: set a newer `vllmVersion`, or choose another `model`",
    ),
    Row(
        "needs-remote-code",
        r"(?:Cannot use|requires?) .*trust.remote.code|contains custom code which must be executed",
        "the model brings its own program: when you trust its authors, set `trust-remote-code: true` in vllmArgs",
    ),
    Row(
        "no-bfloat16",
        r"Bfloat16 is only supported on GPUs",
        "this GPU is too old for bfloat16: set `dtype: half` in vllmArgs, or choose a newer instance type",
    ),
    Row(
        "quantisation-unsupported",
        r"is not supported for the current GPU|Quantization scheme is not supported",
        "this GPU is too old for the checkpoint's quantisation: choose a newer instance type or another checkpoint",
    ),
    Row(
        "heads-not-divisible",
        r"Total number of attention heads \((\d+)\).* must be divisible by tensor parallel size \((\d+)\)",
        "\\2 GPUs cannot share \\1 attention heads: set a tensor-parallel-size in vllmArgs that divides \\1",
    ),
    Row(
        "context-beyond-model",
        r"User-specified max_model_len \((\d+)\) is greater than the derived max_model_len(?: \(\w+=(\d+))?",
        lambda match: (
            f"maxModelLen: {match[1]} is longer than the model's own limit: set {match[2] or 'less'}, or auto"
        ),
    ),
    Row(
        "gpu-memory-taken",
        r"Free memory on device (?:\S+ )?\((\S+?) GiB\) on startup is less than desired GPU memory utilization",
        "something else holds the GPU's memory (free of all: \\1 GiB), perhaps an older server: look with nvidia-smi "
        "on the machine, or lower gpu-memory-utilization in vllmArgs",
    ),
    Row(
        "context-too-long",
        r"max seq len \((\d+)\),\s+\(?([\d.]+) GiB KV cache is needed, which is larger than the available KV cache\s+"
        r"memory \(([\d.]+) GiB\)(?:\. Based on the available\s+memory, the estimated maximum model length is (\d+))?",
        too_long,
    ),
    Row(
        "too-many-sequences",
        r"out of memory occurred when warming up sampler with (\d+)",
        "the GPU's memory is too small for \\1 requests at once: lower max-num-seqs in vllmArgs, to 64 for example",
    ),
    Row(
        "no-memory-for-kv-cache",
        r"No available memory for the cache blocks",
        "the weights leave no memory for the KV cache: raise cpuOffloadGb or set it to auto, serve a quantised "
        "checkpoint, or choose a type with more GPUs and a tensor-parallel-size",
    ),
    Row(
        "out-of-gpu-memory",
        r"CUDA out of memory|CUDA error: out of memory",
        "the model is larger than the GPU's memory: raise cpuOffloadGb or set it to auto, or serve a quantised one",
    ),
    Row(
        "load-timeout",
        r"Timed out waiting for engine core processes",
        "loading took longer than vLLM waits: set `VLLM_ENGINE_READY_TIMEOUT_S: 3600` in vllmEnv",
    ),
    # What went before is in the lines of the model's own module.
    Row(
        "architecture-not-inspected",
        r"Model architectures? (\[.*?\]) failed to be inspected",
        "a package that the architecture \\1 needs is missing or broken: see the log, or choose another `model`",
    ),
)

# These end no program, and are told besides.
GONE: tuple[Row, ...] = (
    Row(
        "attention-backend-variable-removed",
        r"Unknown vLLM environment variable[^\n]*VLLM_ATTENTION_BACKEND",
        "VLLM_ATTENTION_BACKEND is gone: take it out of vllmEnv, and set `attention-backend` in vllmArgs",
    ),
    Row(
        "v1-variable-removed",
        r"Unknown vLLM environment variable[^\n]*VLLM_USE_V1",
        "VLLM_USE_V1 is gone: take it out of vllmEnv",
    ),
)
