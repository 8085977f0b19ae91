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

if [[ "$(cat "$base/started" 2>/dev/null)" == "$hash" ]] && is_active; then
    say "the service runs with these settings"
else
    write_unit
    linger
    systemctl --user daemon-reload >&2
    systemctl --user enable "$service" >&2
    rm -f "$base/started" "$base/start-seconds"
    ! is_active || systemctl --user stop "$service" >&2
    say "starting $model"
    systemctl --user start "$service" >&2
    echo "$hash" >"$base/started"
fi
exec python3 "$base/scripts/wait_ready.py" --host "${BIND_ADDRESS:-127.0.0.1}" --port "$port" --model "$model" \
    --keys "$settings/api-keys" --log "$base/logs/vllm.log" --timeout "$timeout" --service "$service" \
    --seconds-file "$base/start-seconds"
