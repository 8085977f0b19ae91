#!/usr/bin/env bash
# Builds vLLM from its source at a pinned tag and installs it: source.sh VENV VERSION build|precompiled [--triton]
#
# `precompiled` takes the compiled parts from the release's own wheel. Run by install.sh in its job, with uv and VENV made. The
# wheel is kept by what it was built from, so that a second machine with the same filesystem neither clones nor compiles. MAX_JOBS
# in the environment overrides the number of compilers.
set -euo pipefail
# shellcheck source=components/on_machine/shared/common.sh
. "$HOME/.local/share/lambda-vllm/scripts/common.sh"
# shellcheck source=components/on_machine/install/source_toolchain.sh
. "$base/scripts/source_toolchain.sh"

usage="source.sh VENV VERSION build|precompiled [--triton]"
venv=${1:?$usage} version=${2:?$usage} mode=${3:?$usage} triton=${4:-}
python="$venv/bin/python"
declare -A pin

manifest() { python3 "$base/scripts/manifest.py" "$@"; }

read_pins() {
    local text name value
    text=$(python3 "$base/scripts/source_pins.py" show "$version") || exit 1
    while IFS='=' read -r name value; do
        pin[$name]=$value
    done <<<"$text"
    [[ $mode == build || -n ${pin[precompiled]} ]] ||
        fail "vLLM $version has no wheel for aarch64 to take compiled parts from: build it, or use a newer vllmVersion"
    if [[ -z ${pin[triton_has_arm_wheel]} && $(uname -m) == aarch64 ]]; then
        triton=--triton
    fi
    capped=()
    [[ -z ${pin[exclude_newer]} ]] || capped=(--exclude-newer "${pin[exclude_newer]}")
}

# The wheel of one machine fits another when all of this is the same.
name_build() {
    arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | sort -u | paste -sd ';') ||
        fail "nvidia-smi does not tell the GPU's compute capability: $(nvidia-smi 2>&1 | head -n 1)"
    minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    key="v$version-torch${pin[torch]}-cu${pin[cuda]}-sm${arch//;/_}-py$minor-$(uname -m)-$mode$triton"
    work="$base/source/$key"
    wheels="${cache_root:-$base}/wheels"
    shelf="$wheels/$key"
    log="$base/logs/source-$version.log"
    mkdir -p "$work" "$wheels" "$base/logs"
}

# One build of a key at a time on a machine. A compiler that outlived its script holds the lock as well, until it is done.
lock_build() {
    exec 9>"$base/source/$key.lock"
    flock --nonblock 9 || { say "waiting for another build of vLLM $version on this machine" && flock 9; }
}

# The manifest is of the machine, and the mark of this environment, which may be a new one.
is_installed() { manifest is build "$key" && [[ $(cat "$venv/.built-from-source" 2>/dev/null) == "$key" ]]; }

is_kept() {
    [[ -d $shelf ]] || return 1
    (cd "$shelf" && sha256sum --check --strict --status SHA256SUMS 2>/dev/null) && return
    say "the wheel in $shelf is damaged: building it again"
    rm -rf "$shelf"
    return 1
}

install_torch() {
    local backend=() cuda
    [[ -z ${pin[torch_backend]} ]] || backend=(--torch-backend "${pin[torch_backend]}")
    say "installing torch ${pin[torch]}"
    # The index of a backend has no dates, so that a cap on them would hide torch itself.
    "$uv" pip install --python "$python" "${backend[@]}" "torch==${pin[torch]}" "torchvision==${pin[torchvision]}" \
        "torchaudio==${pin[torchaudio]}" >&2
    cuda=$("$python" -c 'import torch; print(torch.version.cuda or "")')
    [[ -n $cuda ]] || fail "torch ${pin[torch]} is one for CPUs, with which vLLM would be built for CPUs unnoticed"
    [[ ${cuda%%.*} == "${pin[cuda]%%.*}" ]] ||
        fail "torch ${pin[torch]} is one for CUDA $cuda, while vLLM $version needs CUDA ${pin[cuda]}"
    if [[ -z $triton ]]; then
        # Not every torch for aarch64 asks for it.
        "$uv" pip install --python "$python" "triton==${pin[triton]}" >&2
    fi
}

# clone NAME URL TAG FOLDER. A folder that is there is whole: an interrupted clone has another name.
clone() {
    [[ ! -d $4 ]] || return 0
    say "cloning $1 $3"
    rm -rf "$4.new"
    git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$3" "$2" "$4.new" >&2 ||
        fail "$1 $3 cannot be cloned: $(command -v git >/dev/null || echo 'there is no git; ')look into the log and run pulumi up again"
    mv "$4.new" "$4"
}

first_there() {
    local file
    for file in "$@"; do
        [[ ! -f $file ]] || { echo "$file" && return; }
    done
    return 1
}

# The files have moved from version to version.
prepare_vllm() {
    local strip requirements arguments=()
    cd "$work/vllm"
    strip=$(first_there use_existing_torch.py tools/use_existing_torch.py) ||
        fail "vLLM $version has its use_existing_torch.py neither at the root nor in tools/"
    requirements=$(first_there requirements-build.txt requirements/build.txt requirements/build/cuda.txt) ||
        fail "vLLM $version has its build requirements in none of requirements-build.txt, requirements/build.txt and \
requirements/build/cuda.txt"
    # Without it every line goes that has torch in it, those of other packages too.
    ! grep -q -e '"--prefix"' "$strip" || arguments=(--prefix)
    say "using the installed torch ($strip), build requirements from $requirements"
    "$python" "$strip" "${arguments[@]}" >&2
    "$uv" pip install --python "$python" "${capped[@]}" --requirements "$requirements" >&2
}

set_jobs() {
    jobs=${MAX_JOBS:-$(python3 "$base/scripts/source_pins.py" jobs)}
    [[ $jobs =~ ^[1-9][0-9]*$ ]] || fail "MAX_JOBS is $jobs: it is the number of compilers at once, 1 or more"
    export MAX_JOBS="$jobs" NVCC_THREADS="${pin[nvcc_threads]}" TORCH_CUDA_ARCH_LIST="$arch"
    if command -v ccache >/dev/null; then
        export CCACHE_DIR="${cache_root:-$base}/ccache" CCACHE_NOHASHDIR=true
        say "ccache keeps what is compiled in $CCACHE_DIR"
    fi
    # On the machine's own disk: two machines must not write into one.
    export FETCHCONTENT_BASE_DIR="$work/fetched"
}

report() {
    local step
    while sleep 10 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        step=$(grep -oE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 1 | tr -d '[]') || step='' # there is none at first
        say "building $1: ${step:+step ${step/\// of }, }$SECONDS s"
    done
}

explain_build() {
    grep -E 'error|FAILED|Killed|build stopped|No space left' "$log" | tail -n 20 | cut -c -400 | sed 's/^/| /' >&2
    ! grep -qE 'Killed|signal 9|Cannot allocate memory' "$log" ||
        fail "a compiler was killed because memory ran out, with $MAX_JOBS jobs: set \`buildJobs\` to $(((MAX_JOBS + 1) / 2)) or less"
    ! grep -q 'No space left on device' "$log" || fail "No space left on device: a build needs 40 GiB"
    fail "$1 cannot be built; all that the build said is in $log on the machine"
}

# build_wheel NAME FOLDER [ARGUMENT...]
build_wheel() {
    local name=$1 folder=$2 reporter status=0
    shift 2
    say "building $name with MAX_JOBS=$MAX_JOBS for compute capability $arch"
    report "$name" 9>&- &
    reporter=$!
    PATH="$venv/bin:$PATH" VIRTUAL_ENV="$venv" "$uv" build --wheel --python "$python" --out-dir "$work/wheels" "$@" "$folder" \
        >"$log" 2>&1 || status=$?
    kill "$reporter" 2>/dev/null || true
    ((status == 0)) || explain_build "$name"
}

# Triton's packaging has moved to the root in 3.4. It is built apart from torch, with requirements of its own.
build_triton() {
    local folder="$work/triton"
    clone Triton "${TRITON_REPOSITORY:-https://github.com/triton-lang/triton.git}" "v${pin[triton]}" "$folder"
    [[ -f $folder/setup.py || ! -f $folder/python/setup.py ]] || folder="$folder/python"
    build_wheel Triton "$folder" "${capped[@]}"
}

build_vllm() {
    prepare_vllm
    if [[ $mode == precompiled ]]; then
        say "downloading the wheel of vLLM $version for its compiled parts"
        rm -rf "$work/release"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --python-version "$minor" --dest "$work/release" "vllm==$version" >&2
        VLLM_PRECOMPILED_WHEEL_LOCATION=$(ls "$work"/release/*.whl)
        export VLLM_USE_PRECOMPILED=1 VLLM_PRECOMPILED_WHEEL_LOCATION
    fi
    # The stripped requirements make the tree differ from its tag, which would make another version of it.
    export SETUPTOOLS_SCM_PRETEND_VERSION="$version"
    build_wheel vLLM "$work/vllm" --no-build-isolation
}

# Under its name only when it is whole. Another machine may have been faster: then its wheel stays.
keep() {
    local new="$wheels/.new-$key-$HOSTNAME"
    rm -rf "$new"
    if mkdir "$new" && cp "$work/wheels"/*.whl "$new" && echo "$commit" >"$new/commit" &&
        (cd "$new" && sha256sum -- *.whl commit >SHA256SUMS); then
        mv -T "$new" "$shelf" 2>/dev/null || rm -rf "$new"
    else
        say "the wheel cannot be kept in $wheels: it is installed all the same"
        rm -rf "$new"
    fi
}

install_wheels() {
    local folder=$1 override=()
    say "installing vLLM $version, built for compute capability $arch"
    if [[ -n ${pin[without]} ]]; then
        echo "${pin[without]}; sys_platform == 'never'" >"$work/override.txt"
        override=(--override "$work/override.txt")
    fi
    if [[ -n $triton ]]; then
        "$uv" pip install --python "$python" --no-deps --reinstall-package triton "$folder"/triton-*.whl >&2
    fi
    # torch by name, so that no dependency changes the one that vLLM was built with.
    "$uv" pip install --python "$python" "${capped[@]}" "${override[@]}" --reinstall-package vllm \
        "$folder"/vllm-*.whl "torch==${pin[torch]}" >&2
}

build() {
    if [[ $mode == build || -n $triton ]]; then
        need_compiler
    fi
    if [[ $mode == build ]]; then
        need_nvcc
        tell_rust
    fi
    install_torch
    set_jobs
    clone vLLM "${VLLM_REPOSITORY:-https://github.com/vllm-project/vllm.git}" "v$version" "$work/vllm"
    rm -rf "$work/wheels"
    [[ -z $triton ]] || build_triton
    build_vllm
    commit=$(git -C "$work/vllm" rev-parse HEAD)
    keep
    install_wheels "$work/wheels"
}

# In a function, so that the whole file is read before it runs: a later `pulumi up` may replace it meanwhile.
main() {
    local from=built commit
    [[ $mode == build || $mode == precompiled ]] && [[ -z $triton || $triton == --triton ]] || fail "$usage"
    read_pins
    name_build
    ensure_uv
    lock_build
    if is_installed; then
        say "vLLM $version, built from source, is installed"
        return
    fi
    if is_kept; then
        from=cache
        say "the wheel of vLLM $version is in $wheels"
        install_torch
        install_wheels "$shelf"
        commit=$(<"$shelf/commit")
    else
        build
    fi
    manifest record build "$key" "tag=v$version" "commit=$commit" "torch=${pin[torch]}" "cuda=${pin[cuda]}" "arch=$arch" \
        "seconds=$SECONDS" "from=$from"
    echo "$key" >"$venv/.built-from-source"
    # The tree and its objects are some gigabytes.
    rm -rf "$work"
    say "vLLM $version is built from source ($from, commit ${commit:0:12}, $SECONDS s)"
}

# One line: what follows `main` is read after it, from a file that may be another one by then.
main; exit
