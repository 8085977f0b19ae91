# shellcheck shell=bash
# The compilers of a build from source: found, or installed with apt where that can be, or missed in one line. For source.sh,
# which has `pin` filled. Set CC, CXX and CUDAHOSTCXX, CUDA_HOME and PATH.

at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | tail -n 1) == "$1" ]]; }

# shellcheck source=components/on_machine/driver/apt.sh
. "${base:?}/scripts/apt.sh"

apt_install() {
    say "installing $1, as root, with apt"
    apt_as_root update && apt_as_root install -y "$1"
}

find_compiler() {
    local name version
    for name in g++ g++-13 g++-14; do
        version=$("$name" -dumpfullversion 2>/dev/null) || continue
        if at_least "$version" "${pin[gcc]}"; then
            export CXX="$name" CC="${name/g++/gcc}" CUDAHOSTCXX="$name"
            return
        fi
    done
    return 1
}

need_compiler() {
    local package=g++
    [[ ${pin[gcc]} != 13 ]] || package=g++-13
    find_compiler ||
        { apt_install "$package" && find_compiler; } ||
        fail "vLLM $version needs GCC ${pin[gcc]} or newer, and apt has no $package: use imageFamily lambda-stack-24-04, \
or vllmVersion 0.19.1"
    say "compiler: $CXX $("$CXX" -dumpfullversion)"
}

# Of torch's CUDA, or another of the same major version, the newest that is there.
find_nvcc() {
    local found release best=''
    for found in /usr/local/cuda*/bin/nvcc "$(command -v nvcc || true)"; do
        [[ -x $found ]] || continue
        release=$("$found" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
        [[ ${release%%.*} == "${pin[cuda]%%.*}" ]] || continue
        if [[ $release == "${pin[cuda]}" ]] || { [[ $best != "${pin[cuda]}" ]] && at_least "$release" "${best:-0}"; }; then
            best=$release
            CUDA_HOME=$(dirname "$(dirname "$(readlink -f "$found")")")
        fi
    done
    [[ -n $best ]] || return 1
    nvcc_release=$best
    export CUDA_HOME PATH="$CUDA_HOME/bin:$PATH"
}

need_nvcc() {
    local package="cuda-toolkit-${pin[cuda]/./-}"
    find_nvcc ||
        { apt_install "$package" && find_nvcc; } ||
        fail "vLLM $version needs nvcc of CUDA ${pin[cuda]%%.*}, as torch ${pin[torch]} has, and apt has no $package: install \
NVIDIA's CUDA toolkit ${pin[cuda]}, or set install to wheel"
    say "nvcc: $nvcc_release in $CUDA_HOME"
}

# setup.py goes on without it: vllm-rs is another front end, which serves only with VLLM_USE_RUST_FRONTEND=1.
tell_rust() {
    [[ -n ${pin[rust]} ]] || return 0
    local found
    export PATH="$HOME/.cargo/bin:$PATH"
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || true
    if command -v rustup >/dev/null; then
        say "Rust: rustup brings ${pin[rust]}, which this vLLM asks for"
    elif [[ -n $found ]] && at_least "$found" "${pin[rust]}"; then
        say "Rust: $found"
    else
        say "Rust: ${found:-none}; without ${pin[rust]} the optional vllm-rs is left out, which vllm serve does not need"
    fi
}
