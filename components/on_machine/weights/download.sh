#!/usr/bin/env bash
# Downloads the weights of one commit of a model: download.sh MODEL COMMIT HUB_URL BYTES [EXCLUDE…]. Run as a job beside the
# install; files that are complete are not fetched again, and nothing is asked of the network when all of them are checked.
# BYTES is how much is to come by the plan, EXCLUDE are glob patterns of files that are not wanted.
set -euo pipefail
# shellcheck source=components/on_machine/shared/common.sh
. "$HOME/.local/share/lambda-vllm/scripts/common.sh"

model=$1 commit=$2 hub=$3 bytes=$4
shift 4

# The token stays in its file, where huggingface_hub reads it: it is in no command line, no environment and no log.
unset HF_TOKEN HUGGING_FACE_HUB_TOKEN
export HF_TOKEN_PATH="$settings/hf-token"
export HF_ENDPOINT="$hub" HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_DISABLE_TELEMETRY=1 \
    HF_HUB_DISABLE_UPDATE_CHECK=1 HF_XET_HIGH_PERFORMANCE=1 HUGGINGFACE_HUB_VERSION

# What a killed job left running still writes to the same files, and holds the lock until it ends.
take_turn() {
    exec 6>"$base/download.lock"
    if ! flock --nonblock 6; then
        say "an earlier download is still under way: waiting for its end"
        flock 6
    fi
}

# In a function, so that the whole file is read before it runs: a later `pulumi up` may replace it meanwhile.
main() {
    local script="$base/scripts/download.py" status=0
    take_turn
    python3 "$script" look "$model" "$commit" "$bytes" "$@" || status=$?
    # 3: something is to be fetched.
    ((status == 3)) || exit "$status"
    ensure_uv
    UV="$uv" python3 "$script" fetch "$model" "$commit" "$bytes" "$@"
}

# One line: what follows `main` is read after it, from a file that may be another one by then.
main "$@"; exit
