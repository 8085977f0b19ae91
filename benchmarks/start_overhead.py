"""What this program adds to a server's own start, beside what typing the same adds, to the tenth of a second.

Two starts of a real vLLM differ by more than that, so here a stand-in for it loads for a time that is known. All the
rest is what runs on a machine: job, swap, service, probe. By hand it is the program itself, asked each half second.
"""

import shlex
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.table import Table
from components.vllm.server import Setting, swap_command
from tests.support.swap_machine import PORT, SwapMachine, setting, swap_machine

LOADS_S = tuple(2 + tenth / 10 for tenth in range(10))
"""Different ones, so that no way has the luck of being asked in the right moment each time."""
MODEL = "a/model"
SYSTEMCTL = ("is-enabled lambda-vllm.service", "daemon-reload")
"""As many calls as a start makes, none of which does much: the local cloud's takes a tenth of a second or two."""
STOP = "systemctl --user stop lambda-vllm.service"
BY_HAND = f"""
export LAMBDA_VLLM_API_KEYS=$HOME/.config/lambda-vllm/api-keys
key=$(<"$LAMBDA_VLLM_API_KEYS")
current=$HOME/.config/lambda-vllm/current
setsid "$current/venv/bin/vllm" serve --config "$current/vllm.yaml" --host "$BIND_ADDRESS" >"$HOME/by-hand.log" 2>&1 &
server=$!
until curl --silent --fail --header "Authorization: Bearer $key" --header 'Content-Type: application/json' \\
    --data '{{"model": "{MODEL}", "prompt": "Hello", "max_tokens": 1}}' "http://$BIND_ADDRESS:{PORT}/v1/completions" \\
    >/dev/null; do
    kill -0 "$server"
    sleep 0.5
done
"""
END = "kill -- -$server; wait $server || true"


def main() -> None:
    """A start of each kind for each time of loading."""
    ours, hand, services = [], [], []
    with tempfile.TemporaryDirectory() as folder, swap_machine(Path(folder)) as machine:
        for seconds in LOADS_S:
            wanted = setting(MODEL, load_seconds=seconds)
            machine.up(wanted)
            ours.append(_ours(machine, wanted) - seconds)
            machine.run(STOP)
            hand.append(_timed(machine, BY_HAND, END) - seconds)
            services.append(sum(_timed(machine, f"systemctl --user {word} >&2") for word in SYSTEMCTL))
    table = Table(f"What a start adds to the server's own time, medians of {len(LOADS_S)}", ("way", "seconds", "most"))
    for way, added in (("this program", ours), ("by hand", hand), ("of ours the local cloud's systemctl", services)):
        table.add(way, f"{median(added):.2f}", f"{max(added):.2f}")
    table.add("ours less by hand", f"{median(a - b for a, b in zip(ours, hand, strict=True)):.2f}", "")
    table.show()


def _ours(machine: SwapMachine, wanted: Setting) -> float:
    machine.run(STOP)
    return _timed(machine, f"{swap_command(wanted.key, 60)} >&2")


def _timed(machine: SwapMachine, work: str, afterwards: str = "") -> float:
    """Seconds of the work, by the machine's own clock."""
    script = f"began=$(date +%s.%N)\n{work}\nended=$(date +%s.%N)\n{afterwards}\necho $began $ended"
    status, output = machine.run(f"bash -ec {shlex.quote(script)}")
    assert status == 0, output
    began, ended = map(float, output.split()[-2:])
    return ended - began


if __name__ == "__main__":
    main()
