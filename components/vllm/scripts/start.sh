#!/usr/bin/env bash
# Makes the service run with the settings that are on the machine: start.sh HASH PORT MODEL TIMEOUT_SECONDS
#
# HASH stands for all that needs a restart. A service that was started with the same hash and still runs is left alone.
set -euo pipefail
# shellcheck source=components/vllm/scripts/common.sh
. "$HOME/.local/share/lambda-vllm/scripts/common.sh"

hash=$1 port=$2 model=$3 timeout=$4
service=lambda-vllm.service
unit="$HOME/.config/systemd/user/$service"
# A login without a session of its own does not have this one set.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"

write_unit() {
    mkdir -p "$(dirname "$unit")"
    cat >"$unit" <<UNIT
[Unit]
Description=vLLM, an OpenAI-compatible model server
StartLimitIntervalSec=1800
StartLimitBurst=5

[Service]
Type=simple
ExecStart=/bin/bash $base/scripts/serve.sh
Restart=on-failure
RestartSec=10
TimeoutStopSec=60

[Install]
WantedBy=default.target
UNIT
}

# Without lingering the service would end with the last login.
linger() { loginctl enable-linger "$(id -un)" 2>/dev/null || sudo loginctl enable-linger "$(id -un)"; }

is_active() { systemctl --user is-active --quiet "$service"; }

# In a function, so that the whole file is read before it runs: a later `pulumi up` may replace it meanwhile.
main() {
    if [[ "$(cat "$base/started" 2>/dev/null)" == "$hash" ]] && is_active; then
        say "the service runs with these settings"
    else
        write_unit
        linger
        systemctl --user daemon-reload >&2
        systemctl --user enable "$service" >&2
        rm -f "$base/started" "$base/start-seconds"
        # Also when it is not active: one that failed waits for its next start, and counts how often it failed.
        systemctl --user stop "$service" >/dev/null 2>&1 || true
        systemctl --user reset-failed "$service" >/dev/null 2>&1 || true
        say "starting $model"
        systemctl --user start "$service" >&2
        echo "$hash" >"$base/started"
    fi
    local status=0
    python3 "$base/scripts/wait_ready.py" --host "${BIND_ADDRESS:-127.0.0.1}" --port "$port" --model "$model" \
        --keys "$settings/api-keys" --log "$base/logs/vllm.log" --timeout "$timeout" --service "$service" \
        --seconds-file "$base/start-seconds" --settings "$settings/vllm.yaml" --accelerator "$(accelerator)" || status=$?
    if ((status == 3)); then
        # It would fail the same way again and again, or is open to everybody. Where only the wait was cut off, it goes on.
        systemctl --user stop "$service" >/dev/null 2>&1 || true
        rm -f "$base/started"
    fi
    return "$status"
}

# One line: what follows `main` is read after it, from a file that may be another one by then.
main; exit
