# shellcheck shell=bash
# What the scripts on the machine share. Standard output is progress for the user, standard error is the log.

base="$HOME/.local/share/lambda-vllm"
settings="$HOME/.config/lambda-vllm"
# shellcheck source=components/vllm/scripts/versions.env
. "$base/scripts/versions.env"
# Read by install.sh and serve.sh.
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

# uv, of the pinned version, without a change to the system's Python. Install and download ask for it at the same time.
ensure_uv() {
    local folder="$base/uv-$UV_VERSION"
    exec 8>"$base/uv.lock"
    flock 8
    if [[ ! -x $folder/bin/uv ]]; then
        python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip: apt-get install python3-pip"
        rm -rf "$folder.new"
        # --target leaves the system's packages alone, so that an externally managed Python allows it.
        python3 -m pip install --quiet --disable-pip-version-check --target "$folder.new" "uv==$UV_VERSION" >&2
        mv "$folder.new" "$folder"
    fi
    flock -u 8
    exec 8>&-
    uv="$folder/bin/uv"
    export uv
    # Progress bars are one line without end to whoever reads the log.
    export UV_NO_PROGRESS=1
}
