#!/usr/bin/env bash
# Downloads the weights of one commit of a model: download.sh REPOSITORY COMMIT HUB_URL. Run as a job beside the install; files that
# are complete are not fetched again, others go on where they stopped.
set -euo pipefail
# shellcheck source=components/vllm/scripts/common.sh
. "$HOME/.local/share/lambda-vllm/scripts/common.sh"

model=$1 commit=$2 hub=$3

# The token comes from a file, so that it is in no command line and no log.
if [[ -s $settings/hf-token ]]; then
    HF_TOKEN=$(<"$settings/hf-token")
    export HF_TOKEN
fi
export HF_ENDPOINT="$hub" HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_DISABLE_TELEMETRY=1 \
    HF_HUB_DISABLE_UPDATE_CHECK=1 HF_XET_HIGH_PERFORMANCE=1

report() {
    local folder="$HOME/.cache/huggingface/hub/models--${model//\//--}"
    while sleep 10; do
        say "downloading $model: $(du -sh "$folder" 2>/dev/null | cut -f 1 || true) so far"
    done
}

# In a function, so that the whole file is read before it runs: a later `pulumi up` may replace it meanwhile.
main() {
    ensure_uv
    say "downloading $model at ${commit:0:12}"
    report &
    reporter=$!
    trap 'kill "$reporter" 2>/dev/null || true' EXIT
    # original/ holds the same weights once more, in a form that vLLM does not read.
    "$uv" tool run --quiet --from "huggingface_hub==$HUGGINGFACE_HUB_VERSION" \
        hf download "$model" --revision "$commit" --exclude 'original/*' >&2
    say "$model is downloaded"
}

main
exit
