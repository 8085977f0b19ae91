"""The model server as a process with all that it starts, and its output on the way to the log."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from components.on_machine.service.generations import Generation
from components.on_machine.service.log_files import LogFiles
from components.on_machine.service.serve import command_and_environment
from components.on_machine.shared.paths import Places

QUICK_END_S = 15
"""For a server that need not finish anything, or has finished it."""
LEFT_END_S = 30
POLL_S = 0.1


class ServerProcess:
    """vLLM, in a process group of its own."""

    def __init__(self, generation: Generation, places: Places, log: LogFiles, told: Callable[[bytes], None]) -> None:
        """Start it. `OSError` and `WorkError` when it cannot be started."""
        self._generation = generation
        log.begin()
        command, environment = command_and_environment(generation, places)
        self._process = subprocess.Popen(
            # It does not outlive the service, also where no control group ends what is left of that.
            # It is looked for here, since the server may have another PATH.
            [shutil.which("setpriv") or "setpriv", "--pdeathsig", "TERM", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pump = threading.Thread(target=self._copy, args=(log, told), daemon=True)
        self._pump.start()

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def exit_status(self) -> int:
        """Once it has ended; negative for the signal that ended it."""
        status = self._process.poll()
        assert status is not None
        return status

    def end(self, *, drain: bool) -> None:
        """Ask it to end, with time for the requests that are under way or without, and see to it that it does."""
        seconds = QUICK_END_S + (self._generation.drain_seconds if drain else 0)
        with suppress(ProcessLookupError):
            self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.sweep()

    def sweep(self) -> None:
        """End what is left of the group: nothing of it may hold the GPU's memory or the port."""
        group = self._process.pid
        deadline = time.monotonic() + LEFT_END_S
        while _members(group) and time.monotonic() < deadline:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            self._process.poll()
            time.sleep(POLL_S)
        self._process.wait()
        # The last lines are what tells why it ended.
        self._pump.join(LEFT_END_S)

    def _copy(self, log: LogFiles, told: Callable[[bytes], None]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            while data := os.read(output.fileno(), 65536):
                log.write(data)
                told(data)


def _members(group: int) -> list[int]:
    """Processes of a group that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            # After the name, which may hold anything: state, parent, group (proc_pid_stat(5)).
            state, _, of_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                found.append(int(folder.name))
    return found
