"""Texts that programs fail with, and what each of them means: the tables of explain.py.

Texts of vLLM 0.19 to 0.33, uv 0.13, pip, apt, git and the compilers; the download explains itself in its log. Runs
with the machine's own Python 3.10 or newer.
"""

import re
from collections.abc import Callable

from components.on_machine.diagnose.ends import OUT_OF_MEMORY

Meaning = str | Callable[["re.Match[str]"], str]
"""The sentence, with \\1 for a group of the pattern, or what makes it of the match."""
Row = tuple[str, Meaning]


def too_long(match: "re.Match[str]") -> str:
    """A context for which there is no room, with what each of the remedies takes."""
    tokens, needed, there, fitting = match.groups()
    shorter = f"maxModelLen: {fitting} (or less, or auto)" if fitting else "a smaller maxModelLen, or auto"
    more = max(0.1, float(needed) - float(there))
    return (
        f"a context of {tokens} tokens needs {needed} GiB of KV cache, {there} GiB are left beside the weights: set "
        f"{shorter}, or `kv-cache-dtype: fp8` in vllmArgs, which halves the cache, or raise cpuOffloadGb by {more:.1f}"
    )


DISK_FULL = "the machine's disk is full: choose an instance type with a larger disk, or keep weights on a `filesystem`"
NETWORK_DOWN = (
    "a download failed, its server or the network is down: run `pulumi up` again, it goes on where it stopped"
)

# The first row that is found anywhere wins, so they stand in the order of how close to the root a text is.

# What the machine ran out of makes everything above it fail, each in its own words.
MACHINE: tuple[Row, ...] = (
    (r"No space left on device|Disk quota exceeded", DISK_FULL),
    (
        r"Killed signal terminated program|died due to signal 9|internal compiler error: Killed",
        "the machine's memory was too small for the compiler, which was killed: use `install: wheel` or "
        "`install: precompiled`, or an instance type with more memory",
    ),
    (r"Cannot allocate memory|DefaultCPUAllocator: can't allocate|unable to mmap", OUT_OF_MEMORY),
)

# Without a driver that fits, the rest says that there is no GPU. The most precise text comes first.
DRIVER: tuple[Row, ...] = (
    (
        r"NVIDIA driver on your system is too old",
        "the machine's NVIDIA driver is too old for this vLLM: set `driver: compat` (no reboot) or `driver: upgrade`",
    ),
    (
        r"PTX was compiled with an unsupported toolchain",
        "the GPU's driver is older than the compiler of a kernel: set `driver: upgrade`, or serve another quantisation",
    ),
    (
        r"forward compatibility was attempted on non supported HW|system has unsupported display driver / cuda driver",
        "CUDA's compatibility libraries do not work with this GPU and driver: set `driver: upgrade`",
    ),
    (
        r"Driver/library version mismatch",
        "the driver was updated and the machine runs the old one: restart the instance, then run `pulumi up` again",
    ),
    (
        r"libcudart\.so\.(\d+): cannot open shared object file",
        "vLLM wants CUDA \\1 and torch brings another: leave `vllmVersion` out, or use one made for that torch",
    ),
    (
        r"Torch not compiled with CUDA enabled|this is a torch for CPUs|built for CPUs only",
        "a torch for CPUs was installed on a machine with a GPU: leave `vllmVersion` out, or use `install: wheel`",
    ),
    (
        r"No CUDA GPUs are available|no CUDA-capable device|driver initialization failed|Failed to infer device type",
        "vLLM sees no GPU: look with nvidia-smi on the machine; set `driver: compat` or `driver: upgrade` when its "
        "driver is older than 580",
    ),
)

# What the hub refuses, where vLLM itself asks it.
HUB: tuple[Row, ...] = (
    (
        r"awaiting a review",
        "the authors of the model have not yet given you access: wait for their mail, then run `pulumi up` again",
    ),
    (
        r"not in the authorized list|Cannot access gated repo|trying to access a gated repo|gated repo",
        "the hub does not give this model to your token: accept the licence on the model's page (a fine-grained token "
        "also has to allow gated repositories), then run `pulumi up` again",
    ),
    (
        r"Make sure your token has the correct permissions",
        "hfToken lacks a permission: make one that may read the model",
    ),
    (r"Invalid (?:credentials|user token)", "the hub refused the token: set hfToken or HF_TOKEN anew"),
    (
        r"Repository Not Found|RepositoryNotFoundError|is not a local folder and is not a valid model identifier",
        "the hub has no such model, or your token may not see it: check `model` and hfToken",
    ),
    (r"401 Client Error", "the hub refused the token: set hfToken or HF_TOKEN anew"),
    (
        r"429 Too Many Requests|429 Client Error",
        "too many requests: set hfToken, or run `pulumi up` again in some minutes",
    ),
    (
        r"couldn't connect to 'http|offline mode is enabled|outgoing traffic has been disabled|LocalEntryNotFoundError",
        "the server asks for files that were not downloaded: it serves the files of `model` without the hub; a "
        "tokenizer or adapter of another repository cannot be used in vllmArgs",
    ),
)

# Packages: a wrong file, then what is not to be had, then the network, which the tools name last.
PACKAGES: tuple[Row, ...] = (
    (
        r"Hash mismatch for `([^`]+)`|Hash Sum mismatch|DO NOT MATCH THE HASHES",
        lambda match: (
            f"{match[1] or 'a package'} does not have the hash that was pinned: run `pulumi up` again; when it stays "
            "so, the registry or mirror that the machine uses gives out other files"
        ),
    ),
    (
        r"Could not get lock|is held by process|dpkg frontend lock",
        "another program holds apt's lock, as on a fresh machine: run `pulumi up` again in some minutes",
    ),
    (
        r"dpkg was interrupted",
        "an earlier apt was cut off: run `sudo dpkg --configure -a` on the machine, then `pulumi up`",
    ),
    (r"Unable to locate package (\S+)", "apt says: Unable to locate package \\1: use imageFamily lambda-stack-24-04"),
    (
        r"Remote branch (\S+) not found|pathspec '(\S+?)' did not match",
        lambda match: f"vLLM has no version {match[1] or match[2]}: correct `vllmVersion`",
    ),
    (
        r"satisfies the requirement (\S+) \(from versions: none\)",
        "the registry gives no \\1 to this machine, it or the network is down: run `pulumi up` again in some minutes",
    ),
    (
        r"No solution found when resolving[^\n]*\n(?:\s*(?:cause:|╰─▶)\s*(.{1,160}))?|"
        r"No matching distribution found for (\S+)",
        lambda match: (
            f"the packages do not go together ({(match[1] or match[2] or 'see the log').strip()}): leave `vllmVersion` "
            "out, or use one that this machine's Python and CUDA have wheels for"
        ),
    ),
    (
        r"No download found for request: (\S+)",
        "uv has no Python \\1 for this machine: use imageFamily lambda-stack-24-04",
    ),
)

# A compiler says what it misses; ninja, cmake, setuptools, pip and uv then wrap that, each once more.
BUILD: tuple[Row, ...] = (
    (
        r"GCC >= (\S+) is required|requires GCC (\S+)|unsupported GNU version",
        "the machine's compiler is not one that this vLLM can be built with: use imageFamily lambda-stack-24-04, "
        "`install: wheel`, or an older `vllmVersion`",
    ),
    (r"requires a different Python|Requires-Python", "this vLLM wants another Python: leave `vllmVersion` out"),
    (
        r"fatal error: Python\.h: No such file",
        "Python's headers are missing, which kernels are compiled with at run time: `install: wheel` brings them",
    ),
    (
        r"Failed to find C compiler",
        "there is no C compiler on the machine, which kernels are compiled with at run time: use imageFamily "
        "lambda-stack-24-04, or run `sudo apt-get install gcc` on the machine",
    ),
    (
        r"nvcc: (?:command )?not found|Failed to find nvcc|CUDA_HOME environment variable is not set|No CUDA toolset",
        "there is no CUDA compiler on the machine: use imageFamily lambda-stack-24-04, or `install: wheel`",
    ),
    (
        r"(?:rustc|cargo): (?:command )?not found|can't find Rust compiler",
        "there is no Rust compiler on the machine, which this vLLM is built with: use `install: wheel`",
    ),
)

# What the server finds wrong, from the settings to the memory.
SERVER: tuple[Row, ...] = (
    (r"unrecognized arguments:.*--swap-space", "this vLLM has no swap-space any more: take it out of vllmArgs"),
    (
        r"unrecognized arguments:.*--disable-log-requests",
        "this vLLM has no disable-log-requests any more: take it out of vllmArgs; requests are logged only with "
        "`enable-log-requests: true`",
    ),
    (
        r"unrecognized arguments:.*--num-scheduler-steps",
        "this vLLM has no num-scheduler-steps any more: take it out of vllmArgs",
    ),
    (
        r"unrecognized arguments: (.{1,120})",
        "this vLLM does not know \\1: correct vllmArgs, or set another `vllmVersion`",
    ),
    (r"error: (argument --\S+: .{1,160})", "vLLM refuses a flag: \\1: correct vllmArgs"),
    (
        r"(?i)address already in use",
        "the port is taken on the machine: choose another `port`, or end what listens there",
    ),
    (
        r"Model architectures? (\S+|\[.*?\]) was supported in vLLM until v?([\d.]*\d)",
        "this vLLM does not support the architecture \\1 any more: set `vllmVersion: \\2` and `install: source`",
    ),
    (
        r"Model architectures? (\S+|\[.*?\]) is not supported in-tree",
        "the architecture \\1 needs a plugin, which is not installed here: choose another `model`",
    ),
    (
        r"Model architectures? (\[.*?\]) are not supported",
        "this vLLM does not support the architecture \\1: set a newer `vllmVersion`, or choose another `model`",
    ),
    (
        r"Transformers does not recognize this architecture",
        "the model is newer than this vLLM's transformers: set a newer `vllmVersion`, or choose another `model`",
    ),
    (
        r"(?:Cannot use|requires?) .*trust.remote.code|contains custom code which must be executed",
        "the model brings its own program: when you trust its authors, set `trust-remote-code: true` in vllmArgs",
    ),
    (
        r"Bfloat16 is only supported on GPUs",
        "this GPU is too old for bfloat16: set `dtype: half` in vllmArgs, or choose a newer instance type",
    ),
    (
        r"is not supported for the current GPU|Quantization scheme is not supported",
        "this GPU is too old for the checkpoint's quantisation: choose a newer instance type or another checkpoint",
    ),
    (
        r"Total number of attention heads \((\d+)\).* must be divisible by tensor parallel size \((\d+)\)",
        "\\2 GPUs cannot share \\1 attention heads: set a tensor-parallel-size in vllmArgs that divides \\1",
    ),
    (
        r"User-specified max_model_len \((\d+)\) is greater than the derived max_model_len(?: \(\w+=(\d+))?",
        lambda match: (
            f"maxModelLen: {match[1]} is longer than the model's own limit: set {match[2] or 'less'}, or auto"
        ),
    ),
    (
        r"Free memory on device (?:\S+ )?\((\S+?) GiB\) on startup is less than desired GPU memory utilization",
        "something else holds the GPU's memory (free of all: \\1 GiB), perhaps an older server: look with nvidia-smi "
        "on the machine, or lower gpu-memory-utilization in vllmArgs",
    ),
    (
        r"max seq len \((\d+)\),\s+\(?([\d.]+) GiB KV cache is needed, which is larger than the available KV cache\s+"
        r"memory \(([\d.]+) GiB\)(?:\. Based on the available\s+memory, the estimated maximum model length is (\d+))?",
        too_long,
    ),
    (
        r"out of memory occurred when warming up sampler with (\d+)",
        "the GPU's memory is too small for \\1 requests at once: lower max-num-seqs in vllmArgs, to 64 for example",
    ),
    (
        r"No available memory for the cache blocks",
        "the weights leave no memory for the KV cache: raise cpuOffloadGb or set it to auto, serve a quantised "
        "checkpoint, or choose a type with more GPUs and a tensor-parallel-size",
    ),
    (
        r"CUDA out of memory|CUDA error: out of memory",
        "the model is larger than the GPU's memory: raise cpuOffloadGb or set it to auto, or serve a quantised one",
    ),
    (
        r"Timed out waiting for engine core processes",
        "loading took longer than vLLM waits: set `VLLM_ENGINE_READY_TIMEOUT_S: 3600` in vllmEnv",
    ),
    # What went before is in the lines of the model's own module.
    (
        r"Model architectures? (\[.*?\]) failed to be inspected",
        "a package that the architecture \\1 needs is missing or broken: see the log, or choose another `model`",
    ),
)

# Anything may have said these on the way, so they count only where nothing better is found.
NETWORK: tuple[Row, ...] = (
    (
        r"error sending request|Failed to fetch|Could(?:n't| not) connect|ConnectionError|Connection refused|timed out|"
        r"Temporary failure|unable to access 'http|RPC failed|early EOF|NewConnectionError|decoding response body",
        NETWORK_DOWN,
    ),
    (r"(?m)^E: (.{1,200})", "apt says: \\1"),
    (r"(?m)^fatal: (.{1,200})", "git says: \\1"),
)

# These end no program, and are told besides.
GONE: tuple[Row, ...] = (
    (
        r"Unknown vLLM environment variable[^\n]*VLLM_ATTENTION_BACKEND",
        "VLLM_ATTENTION_BACKEND is gone: take it out of vllmEnv, and set `attention-backend` in vllmArgs",
    ),
    (r"Unknown vLLM environment variable[^\n]*VLLM_USE_V1", "VLLM_USE_V1 is gone: take it out of vllmEnv"),
)

ROWS = MACHINE + DRIVER + HUB + PACKAGES + BUILD + SERVER + NETWORK


def known(text: str, rows: tuple[Row, ...]) -> str:
    """The meaning of the first row that is found; empty when none is."""
    for pattern, meaning in rows:
        match = re.search(pattern, text)
        if match:
            return meaning(match) if callable(meaning) else match.expand(meaning)
    return ""
