#!/usr/bin/env bash
# What somebody would type in the tutorial's order, one thing after the other, with the same pins and flags as this
# program's: uv, environment, vLLM, a look whether it works, weights, server, first token. Runs on a machine that this
# program has prepared.
#
#   by_hand.sh MODEL COMMIT HUB_URL STEP…      steps: install, download, start
#
# Prints the seconds of each step.
set -euo pipefail

base="$HOME/.local/share/lambda-vllm"
settings="$HOME/.config/lambda-vllm"
pins="components/vllm/release/install"
# Where a line of Python finds this program's modules, and relative paths its files.
cd "$base/release"

model=$1 commit=$2 hub=$3
shift 3
venv="$HOME/vllm-env"
began=$(date +%s.%N)

step() {
    local now
    now=$(date +%s.%N)
    echo "$1 $(echo "$now $began" | awk '{print $1 - $2}')"
    began=$now
}

# A pin of versions.json, by the words on the way to it.
pin() {
    python3 -c 'import functools, json, sys; print(functools.reduce(dict.get, sys.argv[2:], json.load(open(sys.argv[1]))))' \
        "$pins/versions.json" "$@"
}

have_uv() {
    uv=$(python3 -c 'from components.on_machine.shared import paths, uv; print(uv.ensure_uv(paths.places()))')
    export UV_NO_PROGRESS=1
}

install() {
    rm -rf "$venv" "$base/uv-$(pin tools uv)"
    have_uv
    "$uv" venv --quiet --python '>=3.11,<3.14' --no-python-downloads "$venv"
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes --requirement "$pins/locks/cpu-$(uname -m).txt"
    cp -r "$base"/venv/lib/python3.*/site-packages/vllm-*.dist-info "$(echo "$venv"/lib/python3.*/site-packages)"
    "$venv/bin/python" -P components/on_machine/install/prove.py cpu "$(pin targets cpu vllm)" "$(pin targets cpu torch)" >/dev/null
}

download() {
    HF_TOKEN=$(<"$settings/hf-token")
    export HF_TOKEN HF_ENDPOINT="$hub" HF_HUB_DISABLE_PROGRESS_BARS=1
    "$uv" tool run --quiet --from "huggingface_hub==$(pin tools huggingface_hub)" \
        hf download "$model" --revision "$commit" --exclude 'original/*' >/dev/null
}

start() {
    export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind
    OMP_NUM_THREADS=$(nproc)
    export OMP_NUM_THREADS
    "$venv/bin/vllm" serve --config "$settings/current/vllm.yaml" --host "$BIND_ADDRESS" >"$HOME/by-hand.log" 2>&1 &
    server=$!
    trap 'kill $server; wait $server || true' EXIT
    body="{\"model\": \"$model\", \"prompt\": \"Hello\", \"max_tokens\": 1}"
    until curl --silent --fail --header 'Content-Type: application/json' --data "$body" \
        "http://$BIND_ADDRESS:8000/v1/completions" >/dev/null; do
        kill -0 "$server"
        sleep 0.5
    done
}

for name in "$@"; do
    "$name"
    step "$name"
done
