#!/usr/bin/env bash
# What the service runs: vLLM with the settings of this machine.
set -euo pipefail
log="$HOME/.local/share/lambda-vllm/logs/vllm.log"
mkdir -p "${log%/*}"
[[ ! -f $log ]] || mv "$log" "$log.1"
# Before anything that may fail: the log is where the reason is looked for.
exec >"$log" 2>&1
# shellcheck source=components/vllm/scripts/common.sh
. "$HOME/.local/share/lambda-vllm/scripts/common.sh"

set -a
if [[ -f $base/cuda.env ]]; then
    # shellcheck disable=SC1091
    . "$base/cuda.env"
fi
# The weights are on the disk, so the service neither needs the hub nor the token.
export HF_HUB_OFFLINE=1
export VLLM_NO_USAGE_STATS=1
export PYTHONPATH="$base/scripts"
export LAMBDA_VLLM_API_KEYS="$settings/api-keys"
target=$(accelerator)
only_on_cpu=()
if [[ $target == cpu ]]; then
    # What the settings say for a GPU; a flag in the command line wins over the file.
    only_on_cpu=(--tensor-parallel-size 1 --cpu-offload-gb 0)
    # Without a size vLLM reserves nearly all memory for the KV cache; with bound threads it wants cores of its own.
    export VLLM_CPU_KVCACHE_SPACE=1
    export VLLM_CPU_OMP_THREADS_BIND=nobind
    OMP_NUM_THREADS=$(nproc)
    export OMP_NUM_THREADS
fi
# The user's own variables come last and win.
# shellcheck disable=SC1091
. "$settings/server.env"
set +a

tls=()
if grep -q '"enable-ssl-refresh": true' "$settings/vllm.yaml"; then
    tls=(--ssl-certfile "$settings/tls.pem" --ssl-keyfile "$settings/tls.pem")
fi
# Where several machines share one network stack, each has an address of its own to listen on.
exec "$base/venv/bin/vllm" serve --config "$settings/vllm.yaml" --host "${BIND_ADDRESS:-0.0.0.0}" \
    --middleware guard.Guard "${tls[@]}" "${only_on_cpu[@]}"
