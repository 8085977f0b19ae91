"""Logs of the install and the download."""

# The tools write lines as long as they like.
# ruff: noqa: E501, RUF001

UV_HASH = """\
Using Python 3.12.12 environment at: venvs/vllm-0.32.0-cuda
Resolved 152 packages in 1.21s
error: Failed to download `torch==2.13.0`
  cause: Hash mismatch for `torch==2.13.0`

         Expected:
           sha256:0000000000000000000000000000000000000000000000000000000000000000

         Computed:
           sha256:82fee1fc78add43492d3a1898bfa6d8a904cc97d8427f683ed8e798d07761aa0
"""

UV_DOWN = """\
Using Python 3.12.12 environment at: venvs/vllm-0.32.0-cuda
error: Request failed after 3 retries in 8.6s
  cause: Failed to fetch: http://registry/simple/vllm/
  cause: error sending request for url (http://registry/simple/vllm/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""

UV_DISK = """\
Resolved 152 packages in 1.21s
error: Failed to install: torch-2.13.0-cp312-cp312-manylinux_2_28_aarch64.whl (torch==2.13.0)
  cause: failed to copy file to venvs/vllm-0.32.0-cuda/lib/python3.12/site-packages/torch/lib/libtorch_cuda.so
  cause: No space left on device (os error 28)
"""

BUILD_OOM = """\
[212/412] Building CUDA object CMakeFiles/_C.dir/csrc/quantization/marlin.cu.o
FAILED: CMakeFiles/_C.dir/csrc/attention/paged_attention_v2.cu.o
nvcc error   : 'cicc' died due to signal 9 (Kill signal)
c++: fatal error: Killed signal terminated program cc1plus
ninja: build stopped: subcommand failed.
subprocess.CalledProcessError: Command '['cmake', '--build', '.', '-j=64', '--target=_C']' returned non-zero exit status 1.
error: subprocess-exited-with-error
  × Building wheel for vllm (pyproject.toml) did not run successfully.
"""

BUILD_UNKNOWN = """\
csrc/cache.cu(112): error: identifier "frob" is undefined
ninja: build stopped: subcommand failed.
error: command '/usr/bin/cmake' failed with exit code 1
"""

# By name: the log, the code of its cause, and words of what is told.
SAMPLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "hash mismatch": (
        UV_HASH,
        "package-hash-mismatch",
        ("torch==2.13.0 does not have the hash that was pinned", "pulumi up"),
    ),
    "registry down": (UV_DOWN, "network-down", ("a download failed", "goes on where it stopped")),
    "disk full": (UV_DISK, "disk-full", ("disk is full", "`filesystem`")),
    "does not resolve": (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because there is no version of vllm==9.9.9 and you require vllm==9.9.9, we can conclude that your "
        "requirements are unsatisfiable.\n",
        "packages-conflict",
        ("there is no version of vllm==9.9.9", "`vllmVersion`"),
    ),
    "does not resolve, older uv": (
        "  × No solution found when resolving dependencies:\n  ╰─▶ Because only vllm<=0.33.0 is available and you require "
        "vllm==9.9.9, your requirements are unsatisfiable.\n",
        "packages-conflict",
        ("only vllm<=0.33.0 is available", "`vllmVersion`"),
    ),
    # pip 22 and 24 on Ubuntu 22.04 and 24.04, whose warnings are left out as what was tried again.
    "pip: the registry cannot be reached": (
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by "
        "'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new "
        "connection: [Errno 101] Network is unreachable')': /simple/uv/\n"
        "ERROR: Could not find a version that satisfies the requirement uv==0.13.9 (from versions: none)\n"
        "ERROR: No matching distribution found for uv==0.13.9\n",
        "registry-unavailable",
        ("the registry gives no uv==0.13.9 to this machine", "run `pulumi up` again"),
    ),
    "pip finds none": (
        "ERROR: Could not find a version that satisfies the requirement uv==99 (from versions: 0.13.9)\n"
        "ERROR: No matching distribution found for uv==99\n",
        "packages-conflict",
        ("uv==99", "do not go together"),
    ),
    "pip's registry down": (
        "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('Connection refused')'\n"
        "ERROR: Could not install packages due to an OSError: HTTPSConnectionPool: Max retries exceeded (Caused by "
        "NewConnectionError('Failed to establish a new connection: [Errno 111] Connection refused'))\n",
        "network-down",
        ("a download failed",),
    ),
    "no such Python": (
        "error: No download found for request: cpython-3.12.99-linux-aarch64-gnu\n",
        "no-such-python",
        ("cpython-3.12.99",),
    ),
    "apt's lock": (
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1207 (unattended-upgr)\n"
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n",
        "apt-locked",
        ("apt's lock", "in some minutes"),
    ),
    "apt was cut off": (
        "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a'\n",
        "apt-interrupted",
        ("dpkg --configure -a",),
    ),
    "apt knows no package": (
        "Reading package lists...\nE: Unable to locate package cuda-compat-13-0\n",
        "no-such-apt-package",
        ("Unable to locate package cuda-compat-13-0", "imageFamily"),
    ),
    "apt without a network": (
        "Err:1 http://ports/ubuntu-ports jammy InRelease\n  Temporary failure resolving 'ports'\n",
        "network-down",
        ("the network is down",),
    ),
    "apt says something else": (
        "E: The repository is not signed.\n",
        "apt-failed",
        ("apt says: The repository is not signed.",),
    ),
    "apt, as our script says it": (
        "Err:1 http://ports/ubuntu-ports jammy InRelease\n  Temporary failure resolving 'ports'\n"
        "error: apt-get update fails, see above: run `pulumi up` again, or set `driver: compat`\n",
        "network-down",
        ("apt-get update fails, since a download failed", "set `driver: compat`"),
    ),
    "no such tag": (
        "Cloning into 'vllm'...\nwarning: Could not find remote branch v9.9.9 to clone.\n"
        "fatal: Remote branch v9.9.9 not found in upstream origin\n",
        "no-such-vllm-version",
        ("no version v9.9.9", "correct `vllmVersion`"),
    ),
    "git cut": (
        "error: RPC failed; curl 92 HTTP/2 stream 0 was not closed cleanly: CANCEL (err 8)\n"
        "fatal: early EOF\nfatal: fetch-pack: invalid index-pack output\n",
        "network-down",
        ("a download failed",),
    ),
    "git says something else": (
        "fatal: destination path 'vllm' exists\n",
        "git-failed",
        ("git says: destination path 'vllm' exists",),
    ),
    "compiler killed": (
        BUILD_OOM,
        "compiler-out-of-memory",
        ("memory was too small for the compiler", "install: precompiled"),
    ),
    "compiler, in no table": (BUILD_UNKNOWN, "unknown", ("failed with exit code 1",)),
    "GCC too old": (
        "CMake Error at CMakeLists.txt:31 (message):\n  GCC >= 13 is required, found 11.4.0\n"
        "error: subprocess-exited-with-error\n",
        "compiler-unsupported",
        ("compiler is not one", "install: wheel"),
    ),
    "Python too old": (
        "ERROR: Package 'vllm' requires a different Python: 3.10.12 not in '<3.15,>=3.11'\n",
        "wrong-python",
        ("wants another Python", "`vllmVersion`"),
    ),
    "no nvcc": (
        "CMake Error: Failed to find nvcc.\n  Compiler requires the CUDA toolkit.\nerror: subprocess-exited-with-error\n",
        "no-cuda-compiler",
        ("no CUDA compiler", "install: wheel"),
    ),
    "no Rust": (
        "error: can't find Rust compiler\nerror: subprocess-exited-with-error\n",
        "no-rust-compiler",
        ("Rust compiler",),
    ),
    "no headers": (
        "/tmp/tmpx/main.c:6:10: fatal error: Python.h: No such file or directory\nsubprocess.CalledProcessError: gcc\n",
        "no-python-headers",
        ("Python's headers are missing",),
    ),
    "proof fails for the driver": (
        "error: torch 2.13.0 for CUDA 13.0 does not see the GPU: The NVIDIA driver on your system is too old (found 12080)\n",
        "driver-too-old",
        ("does not see the GPU", "driver: compat", "driver: upgrade"),
    ),
    "proof fails for a library": (
        "error: vLLM's extension cannot be loaded: libcudart.so.13: cannot open shared object file: No such file\n",
        "wrong-cuda",
        ("extension cannot be loaded", "wants CUDA 13"),
    ),
    "our own check": (
        "noise\nerror: 3 GB free on the machine's disk, vLLM needs 15 GB\n",
        "failed",
        ("3 GB free on the machine's disk, vLLM needs 15 GB",),
    ),
    "download, after what passed": (
        "HTTP Error 429 thrown while requesting GET http://hub/api\nretried: HfHubHTTPError: 429 Client Error: Too Many "
        "Requests\nretried: OSError: [Errno 28] No space left on device\nerror: the hub refused the token (401), perhaps it "
        "was revoked: set hfToken or HF_TOKEN anew\n",
        "failed",
        ("the hub refused the token (401)",),
    ),
    "review": (
        "huggingface_hub.errors.GatedRepoError: 403 Client Error. (Request ID: Root=1)\nYour request to access model "
        "meta-llama/Llama-3.1-8B-Instruct is awaiting a review from the repo authors.\n",
        "access-pending",
        ("have not yet given you access",),
    ),
    "licence": (
        "huggingface_hub.errors.GatedRepoError: 403 Client Error. (Request ID: Root=1)\nCannot access gated repo for url "
        "https://huggingface.co/x.\nAccess to model x is restricted and you are not in the authorized list.\n",
        "gated",
        ("accept the licence",),
    ),
    "permissions": (
        "huggingface_hub.errors.HfHubHTTPError: (Request ID: Root=1)\n403 Forbidden: None.\nCannot access content at: http://hub\n"
        "Make sure your token has the correct permissions.\n",
        "token-lacks-permission",
        ("hfToken lacks a permission",),
    ),
    "token": (
        "huggingface_hub.errors.HfHubHTTPError: 401 Client Error: Unauthorized\nInvalid credentials in Authorization header\n",
        "token-refused",
        ("refused the token", "HF_TOKEN"),
    ),
    "no repository": (
        "huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error. (Request ID: Root=1)\nRepository Not Found for "
        "url: https://huggingface.co/api/models/a/b\n",
        "no-such-model",
        ("check `model` and hfToken",),
    ),
    "rate": (
        "huggingface_hub.errors.HfHubHTTPError: 429 Client Error: Too Many Requests for url\n",
        "too-many-requests",
        ("too many requests",),
    ),
}
