#!/usr/bin/env bash
# The model server of one setting, in the foreground: serve.sh [FOLDER [check]]
#
# FOLDER is a generation: `vllm.yaml`, `server.env`, `setting.json` and `venv`. With `check` vLLM's own parser reads the flags and its
# own code the model's configuration, and nothing is started. Without FOLDER it is the setting of a service from before there were generations, which lies in the
# folder of settings itself, until the first swap has replaced that service.
set -euo pipefail
generation=${1:-$HOME/.config/lambda-vllm} what=${2:-serve}
# The environment that this setting is served from, which need not be the one that was installed last.
served_venv="$generation/venv"
[[ $# -gt 0 ]] || served_venv="$HOME/.local/share/lambda-vllm/venv"
# shellcheck source=components/on_machine/shared/common.sh
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
export LAMBDA_VLLM_FLAGS="$generation/vllm.yaml"
target=$(accelerator)
flags=()
if [[ $target == cpu ]]; then
    # What the settings say for a GPU; a flag in the command line wins over the file.
    flags=(--tensor-parallel-size 1 --cpu-offload-gb 0)
    # Without a size vLLM reserves nearly all memory for the KV cache; with bound threads it wants cores of its own.
    export VLLM_CPU_KVCACHE_SPACE=1
    export VLLM_CPU_OMP_THREADS_BIND=nobind
    OMP_NUM_THREADS=$(nproc)
    export OMP_NUM_THREADS
fi
# One file for both, so that a new certificate and its key are there in one step; vLLM reads it anew by itself.
if grep -qs '"tls": true' "$generation/setting.json"; then
    flags+=(--ssl-certfile "$settings/tls.pem" --ssl-keyfile "$settings/tls.pem" --enable-ssl-refresh)
fi
# The user's own variables come last and win.
# shellcheck disable=SC1091
. "$generation/server.env"
set +a

program=("$served_venv/bin/vllm")
[[ $what == serve ]] || program=("$served_venv/bin/python" "$base/scripts/check_config.py")
# Where several machines share one network stack, each has an address of its own to listen on.
# The guard is the outermost of the two, as the last.
exec "${program[@]}" serve --config "$generation/vllm.yaml" --host "${BIND_ADDRESS:-0.0.0.0}" \
    --middleware access_log.FailuresOnly --middleware guard.Guard "${flags[@]}"
