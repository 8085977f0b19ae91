# shellcheck shell=bash
# What the scripts on the machine share. Standard output is progress for the user, standard error is the log.

base="$HOME/.local/share/lambda-vllm"
settings="$HOME/.config/lambda-vllm"
# shellcheck source=components/vllm/release/install/versions.env
. "$base/scripts/versions.env"
# Read by the scripts that begin with this one.
export base settings

say() { printf '%s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The machine says what it computes with: cuda or cpu. A GPU that does not answer is an error, not a reason to use the CPU.
accelerator() {
    if ! command -v nvidia-smi >/dev/null; then
        # 0x10de is NVIDIA's vendor number on the PCI bus.
        ! grep -qs 0x10de /sys/bus/pci/devices/*/vendor ||
            fail "there is an NVIDIA GPU but no driver: use imageFamily lambda-stack-24-04"
        echo cpu
    elif nvidia-smi --query-gpu=driver_version --format=csv,noheader >/dev/null 2>&1; then
        echo cuda
    else
        fail "nvidia-smi is there but finds no GPU: $(nvidia-smi 2>&1 | head -n 1)"
    fi
}

# Everything that is expensive to have again is kept on a filesystem, where the settings name a folder on one. Without it
# every tool keeps its own cache in the home directory.
use_caches() {
    cache_root=""
    [[ ! -s $settings/cache ]] || cache_root=$(<"$settings/cache")
    export cache_root
    [[ -n $cache_root ]] || return 0
    # Its parent is the mounted filesystem. Where that is missing, the machine's own disk must not be filled in its place.
    { [[ -d ${cache_root%/*} ]] && mkdir -p "$cache_root" && [[ -w $cache_root ]]; } 2>/dev/null ||
        fail "the cache folder $cache_root is missing or cannot be written: is the filesystem attached to this machine?"
    local programs architecture
    architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1) || architecture=cpu
    # Programs compiled by one vLLM for one kind of GPU are of no use to another.
    programs="$cache_root/programs/vllm-$(installed_vllm)-$(uname -m)-${architecture:-cpu}"
    export HF_HOME="$cache_root/huggingface" VLLM_CACHE_ROOT="$programs/vllm" TRITON_CACHE_DIR="$programs/triton"
    # The environment lies on another disk than the cache, which no link can reach.
    export UV_CACHE_DIR="$cache_root/uv" UV_PYTHON_CACHE_DIR="$cache_root/uv-python" UV_LINK_MODE=copy
}

# The version in the environment that is in use, or that serve.sh names, which is part of its name; before the first install the one
# to come.
installed_vllm() {
    local venv
    venv=$(readlink "${served_venv:-$base/venv}") || venv="/vllm-$VLLM_VERSION-"
    venv=${venv##*/vllm-}
    printf '%s\n' "${venv%%-*}"
}

# uv, of the pinned version, without a change to the system's Python. Install and download ask for it at the same time.
ensure_uv() {
    local folder="$base/uv-$UV_VERSION"
    exec 8>"$base/uv.lock"
    flock 8
    if [[ ! -x $folder/bin/uv ]]; then
        python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip: apt-get install python3-pip"
        rm -rf "$folder.new"
        # --target leaves the system's packages alone, so that an externally managed Python allows it.
        python3 -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
            --target "$folder.new" --requirement "$base/scripts/uv.txt" >&2
        mv "$folder.new" "$folder"
        python3 "$base/scripts/manifest.py" record uv "$UV_VERSION"
    fi
    flock -u 8
    exec 8>&-
    uv="$folder/bin/uv"
    export uv
    # Progress bars are one line without end to whoever reads the log.
    export UV_NO_PROGRESS=1
}

use_caches
