"""What the machine says of the service and its starts, asked over SSH."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.on_machine.shared.paths import UNIT, Places
from ops.ssh import Login

STARTS = 3
THERE = Places(Path())
"""From the home folder on."""

# One fact a line. The folder is made in the first minute after the boot; where the file system keeps no birth times,
# `stat` says 0 or a dash.
QUESTIONS = f"""
export XDG_RUNTIME_DIR="${{XDG_RUNTIME_DIR:-/run/user/$(id -u)}}"
cd || exit
echo "state $(systemctl --user is-active {UNIT} 2>/dev/null)"
echo "restarts $(systemctl --user show --property NRestarts {UNIT} 2>/dev/null | cut -d= -f2)"
echo "born $(stat -c %W {THERE.base} 2>/dev/null)"
echo "now $(date +%s)"
echo "doing $(cat {THERE.service_state} 2>/dev/null)"
tail -n {STARTS} {THERE.timeline} 2>/dev/null | sed 's/^/start /'
true
"""


@dataclass(frozen=True)
class MachineState:
    """As of one look."""

    service: str
    """systemd's word: active, activating, failed, inactive; `unknown` when it said nothing."""
    restarts: int | None
    """How often systemd has started the service again after a crash."""
    age_seconds: float | None
    """Since the set-up of the machine began, which is a little less than it has been billed for."""
    doing: str = ""
    """What the service itself says of the moment, such as `starting, load weights` or why it waits; empty while it
    serves."""
    starts: list[dict[str, Any]] = field(default_factory=list)
    """The last lines of timeline.jsonl, oldest first."""


def ask_machine(to: Login) -> MachineState:
    """OpsError when the machine cannot be reached."""
    return read_answers(to.run(QUESTIONS))


def read_answers(text: str) -> MachineState:
    """What the questions above print."""
    facts: dict[str, str] = {}
    starts = []
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "start":
            starts += _record(value)
        else:
            facts[name] = value.strip()
    restarts, born, now = (_number(facts.get(name, "")) for name in ("restarts", "born", "now"))
    age = float(now - born) if born and now else None
    return MachineState(facts.get("state") or "unknown", restarts, age, _doing(facts.get("doing", "")), starts)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _doing(text: str) -> str:
    """From service.json: `doing`, and `stage` or `trouble` where there is one."""
    said = next(iter(_record(text)), {})
    words = [said[name] for name in ("doing", "stage", "trouble") if isinstance(said.get(name), str) and said[name]]
    return "" if words[:1] == ["serving"] else ", ".join(words)


def _record(line: str) -> list[dict[str, Any]]:
    """None for a line that is being written just now."""
    try:
        record = json.loads(line)
    except ValueError:
        return []
    return [record] if isinstance(record, dict) else []
