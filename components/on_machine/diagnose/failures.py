"""Texts that programs fail with, and what each of them means: the tables of explain.py, in their order.

What has a table of its own elsewhere: the install in install_failures.py, vLLM in components/vllm/release/diagnose.
The download explains itself in its log.
"""

from components.on_machine.diagnose.ends import OUT_OF_MEMORY
from components.on_machine.diagnose.install_failures import BUILD, PACKAGES
from components.vllm.release.diagnose.rows import Row
from components.vllm.release.diagnose.server_failures import SERVER

DISK_FULL = "the machine's disk is full: choose an instance type with a larger disk, or keep weights on a `filesystem`"
NETWORK_DOWN = (
    "a download failed, its server or the network is down: run `pulumi up` again, it goes on where it stopped"
)

# What the machine ran out of makes everything above it fail, each in its own words.
MACHINE: tuple[Row, ...] = (
    Row("disk-full", r"No space left on device|Disk quota exceeded", DISK_FULL),
    Row(
        "compiler-out-of-memory",
        r"Killed signal terminated program|died due to signal 9|internal compiler error: Killed",
        "the machine's memory was too small for the compiler, which was killed: use `install: wheel` or "
        "`install: precompiled`, or an instance type with more memory",
    ),
    Row("out-of-memory", r"Cannot allocate memory|DefaultCPUAllocator: can't allocate|unable to mmap", OUT_OF_MEMORY),
)

# Without a driver that fits, the rest says that there is no GPU. The most precise text comes first.
DRIVER: tuple[Row, ...] = (
    Row(
        "driver-too-old",
        r"NVIDIA driver on your system is too old",
        "the machine's NVIDIA driver is too old for this vLLM: set `driver: compat` (no reboot) or `driver: upgrade`",
    ),
    Row(
        "driver-too-old-for-kernel",
        r"PTX was compiled with an unsupported toolchain",
        "the GPU's driver is older than the compiler of a kernel: set `driver: upgrade`, or serve another quantisation",
    ),
    Row(
        "compat-unsupported",
        r"forward compatibility was attempted on non supported HW|system has unsupported display driver / cuda driver",
        "CUDA's compatibility libraries do not work with this GPU and driver: set `driver: upgrade`",
    ),
    Row(
        "driver-not-loaded",
        r"Driver/library version mismatch",
        "the driver was updated and the machine runs the old one: restart the instance, then run `pulumi up` again",
    ),
    Row(
        "wrong-cuda",
        r"libcudart\.so\.(\d+): cannot open shared object file",
        "vLLM wants CUDA \\1 and torch brings another: leave `vllmVersion` out, or use one made for that torch",
    ),
    Row(
        "torch-for-cpus",
        r"Torch not compiled with CUDA enabled|this is a torch for CPUs|built for CPUs only",
        "a torch for CPUs was installed on a machine with a GPU: leave `vllmVersion` out, or use `install: wheel`",
    ),
    Row(
        "gpu-not-seen",
        r"No CUDA GPUs are available|no CUDA-capable device|driver initialization failed|Failed to infer device type",
        "vLLM sees no GPU: look with nvidia-smi on the machine; set `driver: compat` or `driver: upgrade` when its "
        "driver is older than 580",
    ),
)

# What the hub refuses, where vLLM itself asks it.
HUB: tuple[Row, ...] = (
    Row(
        "access-pending",
        r"awaiting a review",
        "the authors of the model have not yet given you access: wait for their mail, then run `pulumi up` again",
    ),
    Row(
        "gated",
        r"not in the authorized list|Cannot access gated repo|trying to access a gated repo|gated repo",
        "the hub does not give this model to your token: accept the licence on the model's page (a fine-grained token "
        "also has to allow gated repositories), then run `pulumi up` again",
    ),
    Row(
        "token-lacks-permission",
        r"Make sure your token has the correct permissions",
        "hfToken lacks a permission: make one that may read the model",
    ),
    Row(
        "token-refused",
        r"Invalid (?:credentials|user token)",
        "the hub refused the token: set hfToken or HF_TOKEN anew",
    ),
    Row(
        "no-such-model",
        r"Repository Not Found|RepositoryNotFoundError|is not a local folder and is not a valid model identifier",
        "the hub has no such model, or your token may not see it: check `model` and hfToken",
    ),
    Row("token-refused", r"401 Client Error", "the hub refused the token: set hfToken or HF_TOKEN anew"),
    Row(
        "too-many-requests",
        r"429 Too Many Requests|429 Client Error",
        "too many requests: set hfToken, or run `pulumi up` again in some minutes",
    ),
    Row(
        "not-downloaded",
        r"couldn't connect to 'http|offline mode is enabled|outgoing traffic has been disabled|LocalEntryNotFoundError",
        "the server asks for files that were not downloaded: it serves the files of `model` without the hub; a "
        "tokenizer or adapter of another repository cannot be used in vllmArgs",
    ),
)

# Anything may have said these on the way, so they count only where nothing better is found.
NETWORK: tuple[Row, ...] = (
    Row(
        "network-down",
        r"error sending request|Failed to fetch|Could(?:n't| not) connect|ConnectionError|Connection refused|timed out|"
        r"Temporary failure|unable to access 'http|RPC failed|early EOF|NewConnectionError|decoding response body",
        NETWORK_DOWN,
    ),
    Row("apt-failed", r"(?m)^E: (.{1,200})", "apt says: \\1"),
    Row("git-failed", r"(?m)^fatal: (.{1,200})", "git says: \\1"),
)

# The first row that is found anywhere wins, so they stand in the order of how close to the root a text is.
ROWS = MACHINE + DRIVER + HUB + PACKAGES + BUILD + SERVER + NETWORK
