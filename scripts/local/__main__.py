"""`python -m scripts.local up|down`, behind `make local` and `make local-down`. Both can be run again at any time."""

import argparse
import sys
import time

if not __package__:
    sys.exit("local: start it as `python -m scripts.local`, in the folder that holds scripts/")

from components.text.counted import counted
from scripts.local import cloud
from scripts.local.cloud import CloudStatus
from scripts.local.environment import process_environment, write_environment_file
from scripts.local.errors import LocalError
from scripts.local.leftovers import open_ports, processes_of_machines
from scripts.local.orphans import end_orphans
from scripts.local.place import CLOUD_STATE, COMPLETED_ONCE, ENVIRONMENT_FILE, LOCAL, PORT, STACK
from scripts.local.question import QUESTION, ask
from scripts.local.room import announcement, room_at, shortage
from scripts.local.stack import Stack, StackOutputs

GO_ON = """go on with:
  source .local/env
  pulumi stack output ca_certificate > .local/ca.pem
  key=$(pulumi stack output api_key --show-secrets)
  curl --cacert .local/ca.pem -H "Authorization: Bearer $key" $(pulumi stack output endpoint)/models
  make local-down"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    command = parser.parse_args().command
    try:
        return up() if command == "up" else down()
    except LocalError as error:
        print(f"local: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"local: interrupted; `make local{'' if command == 'up' else '-down'}` goes on", file=sys.stderr)
        return 130


def up() -> int:
    check_room()
    running = cloud.start()
    say(f"local cloud at {running.url}")
    write_environment_file(ENVIRONMENT_FILE, running)
    stack = Stack(process_environment(running))
    clear_after_a_kill(stack)
    stack.select()
    start = time.monotonic()
    stack.up()
    seconds = time.monotonic() - start
    outputs = stack.outputs()
    answer = ask(outputs)
    COMPLETED_ONCE.touch()
    show(outputs, answer, seconds)
    return 0


def check_room() -> None:
    """Refuse before anything starts; a machine that runs already has its share."""
    LOCAL.mkdir(exist_ok=True)
    running = cloud.status()
    if running is not None and running.instances:
        return
    first = not COMPLETED_ONCE.exists()
    room = room_at(LOCAL)
    short = shortage(room, first=first)
    if short is not None:
        raise LocalError(short)
    say(announcement(room, first=first))


def show(outputs: StackOutputs, answer: str, seconds: float) -> None:
    print(f"\nquestion: {QUESTION}\nanswer:   {answer}")
    print("The weights are random numbers, so the text is noise; vLLM computed it from them.")
    print("\nseconds per stage:")
    for stage, duration in (outputs.timeline | {"pulumi up, all of it": seconds}).items():
        if duration is not None:
            print(f"  {stage:<24}{duration:>7.1f}")
    print(f"\n{GO_ON}")


def down() -> int:
    before = destroy_stack(cloud.status())
    after = cloud.status()
    cloud.stop()
    ENVIRONMENT_FILE.unlink(missing_ok=True)
    return report(what_is_left(before, after))


def destroy_stack(running: CloudStatus | None) -> CloudStatus | None:
    """Destroy the stack if there is one; the local cloud as it was before, started where it was not running.

    Without the cloud there would be nothing to take the machines away from.
    """
    if not Stack(process_environment(running)).exists():
        return running
    running = running or cloud.start()
    stack = Stack(process_environment(running))
    clear_after_a_kill(stack)
    stack.destroy()
    return running


def what_is_left(before: CloudStatus | None, after: CloudStatus | None) -> list[str]:
    """One line for each thing that should be gone; the local cloud's status before and after the stack's end."""
    machines = after.instances if after else []
    addresses = [machine.ip for machine in before.instances if machine.ip] if before else []
    left = [f"instance {machine.id} ({machine.name}) was not destroyed by Pulumi" for machine in machines]
    left += processes_of_machines(CLOUD_STATE)
    left += open_ports(addresses, PORT)
    if Stack(process_environment(after)).exists():
        left.append(f"stack {STACK}")
    return left


def report(left: list[str]) -> int:
    for one in left:
        print(f"local: still there: {one}", file=sys.stderr)
    if left:
        return 1
    say("no instance, no process, no listening port and no stack resource is left")
    return 0


def clear_after_a_kill(stack: Stack) -> None:
    if stack.release_stale_lock():
        say(f"a pulumi that was killed had left the stack {STACK} locked; the lock is gone (pulumi cancel)")
    ended = end_orphans()
    if ended:
        say(f"a pulumi that was killed had left {counted(ended, 'process', 'processes')}, ended now")


def say(line: str) -> None:
    print(f"local: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
