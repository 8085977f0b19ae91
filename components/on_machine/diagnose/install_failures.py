"""Texts that an install fails with: of uv 0.13, pip, apt, git and the compilers."""

from components.vllm.release.diagnose.rows import Row

# Packages: a wrong file, then what is not to be had, then the network, which the tools name last.
PACKAGES: tuple[Row, ...] = (
    Row(
        "package-hash-mismatch",
        r"Hash mismatch for `([^`]+)`|Hash Sum mismatch|DO NOT MATCH THE HASHES",
        lambda match: (
            f"{match[1] or 'a package'} does not have the hash that was pinned: run `pulumi up` again; when it stays "
            "so, the registry or mirror that the machine uses gives out other files"
        ),
    ),
    Row(
        "apt-locked",
        r"Could not get lock|is held by process|dpkg frontend lock",
        "another program holds apt's lock, as on a fresh machine: run `pulumi up` again in some minutes",
    ),
    Row(
        "apt-interrupted",
        r"dpkg was interrupted",
        "an earlier apt was cut off: run `sudo dpkg --configure -a` on the machine, then `pulumi up`",
    ),
    Row(
        "no-such-apt-package",
        r"Unable to locate package (\S+)",
        "apt says: Unable to locate package \\1: use imageFamily lambda-stack-24-04",
    ),
    Row(
        "no-such-vllm-version",
        r"Remote branch (\S+) not found|pathspec '(\S+?)' did not match",
        lambda match: f"vLLM has no version {match[1] or match[2]}: correct `vllmVersion`",
    ),
    Row(
        "registry-unavailable",
        r"satisfies the requirement (\S+) \(from versions: none\)",
        "the registry gives no \\1 to this machine, it or the network is down: run `pulumi up` again in some minutes",
    ),
    Row(
        "packages-conflict",
        r"No solution found when resolving[^\n]*\n(?:\s*(?:cause:|╰─▶)\s*(.{1,160}))?|"
        r"No matching distribution found for (\S+)",
        lambda match: (
            f"the packages do not go together ({(match[1] or match[2] or 'see the log').strip()}): leave `vllmVersion` "
            "out, or use one that this machine's Python and CUDA have wheels for"
        ),
    ),
    Row(
        "no-such-python",
        r"No download found for request: (\S+)",
        "uv has no Python \\1 for this machine: use imageFamily lambda-stack-24-04",
    ),
)

# A compiler says what it misses; ninja, cmake, setuptools, pip and uv then wrap that, each once more.
BUILD: tuple[Row, ...] = (
    Row(
        "compiler-unsupported",
        r"GCC >= (\S+) is required|requires GCC (\S+)|unsupported GNU version",
        "the machine's compiler is not one that this vLLM can be built with: use imageFamily lambda-stack-24-04, "
        "`install: wheel`, or an older `vllmVersion`",
    ),
    Row(
        "wrong-python",
        r"requires a different Python|Requires-Python",
        "this vLLM wants another Python: leave `vllmVersion` out",
    ),
    Row(
        "no-python-headers",
        r"fatal error: Python\.h: No such file",
        "Python's headers are missing, which kernels are compiled with at run time: `install: wheel` brings them",
    ),
    Row(
        "no-c-compiler",
        r"Failed to find C compiler",
        "there is no C compiler on the machine, which kernels are compiled with at run time: use imageFamily "
        "lambda-stack-24-04, or run `sudo apt-get install gcc` on the machine",
    ),
    Row(
        "no-cuda-compiler",
        r"nvcc: (?:command )?not found|Failed to find nvcc|CUDA_HOME environment variable is not set|No CUDA toolset",
        "there is no CUDA compiler on the machine: use imageFamily lambda-stack-24-04, or `install: wheel`",
    ),
    Row(
        "no-rust-compiler",
        r"(?:rustc|cargo): (?:command )?not found|can't find Rust compiler",
        "there is no Rust compiler on the machine, which this vLLM is built with: use `install: wheel`",
    ),
)
