"""What the service runs: the server of the current setting, proven by a token, and the last good one when it fails.

The decision is taken here and not by who asked for a change, so that it is taken in any case: `pulumi`, the SSH server
and the job on the machine may all be killed meanwhile, and the machine may reboot. A proven server that ends is started
again, with pauses that grow; an unproven one is given up.
"""

import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from components.on_machine.diagnose.ends import End, MemoryWatch
from components.on_machine.diagnose.explain import WHERE, reason
from components.on_machine.service.generations import Generation, Generations
from components.on_machine.service.log_files import LogFiles
from components.on_machine.service.probe import NOT_YET, NotReadyError, Probe, TrustError
from components.on_machine.service.server_process import ServerProcess
from components.on_machine.service.stages import Stages
from components.on_machine.service.state import ServiceState, State
from components.on_machine.service.timeline import Timeline
from components.on_machine.service.unit import GIVEN_UP
from components.on_machine.shared.clock import boot_id, now
from components.on_machine.shared.release import hold
from components.on_machine.shared.work import WorkError

POLL_S = 0.5
PROBE_S = 0.1
"""Between two looks whether it answers at all: a client that waits for a new start notices more than that."""
PAUSES_S = (2, 10, 30, 60, 120, 300)
"""Before each further start of a good setting. After the last one the service fails, and systemd begins anew."""
STEADY_S = 600
"""A server that served longer than this ended for a new reason, and is started again without a long pause."""
STOPPED = "it was stopped, by systemd or by hand (SIGTERM)"


class Supervisor:
    """The service of a home directory."""

    def __init__(self, home: Path) -> None:
        self.generations = Generations(home)
        places = self.generations.places
        self.state = ServiceState(places)
        self.timeline = Timeline(places.timeline)
        self.log = LogFiles(places.log, wanted=places.log_megabytes)
        self.wake = threading.Event()
        """Something happened that is worth a look."""
        self.is_ending = False
        self.given_up: set[str] = set()
        """Keys, also where the disk takes no marks."""
        self.last_trouble = ""
        """Why the server before this one ended."""

    def run(self) -> int:
        """Serve until the service is stopped (0), has failed (1) or has nothing to serve (`GIVEN_UP`)."""
        self.state.hold()
        # What an earlier service left there is not so any more.
        self.state.write(State("starting", since=now()))
        failures, why = 0, ""
        while choice := self.generations.choose(self.given_up):
            if choice.given_up:
                self.give_up(choice.given_up)
                why = "fall back"
            if not choice.is_proven:
                # First of all: whatever ends this try, the next start is not another one.
                with suppress(OSError):
                    self.generations.note_try(choice.key, boot_id())
            start = Start(self, self.generations.get(choice.key), choice.is_proven, why)
            start.run()
            if self.is_ending:
                self.state.write(State("stopped", choice.key, trouble=STOPPED))
                return 0
            self.last_trouble = start.trouble
            if not (choice.is_proven or start.served):
                self.give_up(choice.key, start.trouble)
                if self.generations.last_known_good is None:
                    self.state.write(State("failed", choice.key, trouble=start.trouble))
                    return GIVEN_UP
                failures, why = 0, "fall back"
                continue
            failures = 1 if start.served_seconds > STEADY_S else failures + 1
            why = "restart"
            if failures > len(PAUSES_S):
                break
            self.state.write(State("waiting", choice.key, trouble=start.trouble))
            if self.pause(PAUSES_S[failures - 1]):
                self.state.write(State("stopped", choice.key, trouble=STOPPED))
                return 0
        self.state.write(State("failed", trouble=self.last_trouble))
        return 1

    def end(self) -> None:
        """Stop serving; called by the signal."""
        self.is_ending = True
        self.wake.set()

    def pause(self, seconds: float) -> bool:
        """Wait; True when the service is to end."""
        until = now() + seconds
        while not self.is_ending and now() < until:
            self.wake.wait(POLL_S)
            self.wake.clear()
        return self.is_ending

    def give_up(self, key: str, trouble: str = "") -> None:
        """An unproven setting is not started before it is asked for again. Without `trouble` it was interrupted."""
        self.given_up.add(key)
        # On a full disk nobody is told why, and the last good one is served nevertheless.
        with suppress(OSError):
            if self.generations.failure(key) is None:
                self.generations.give_up(key, trouble or self._interrupted(key))

    def _interrupted(self, key: str) -> str:
        """Why a start came to nothing of which an earlier service left no more than a mark, and its log."""
        boot = self.generations.tried_in(key)
        who = "the machine was restarted" if boot not in {"", boot_id()} else "the service was stopped or killed"
        self.last_trouble = f"{who} before it was ready"
        return f"{self.last_trouble} ({WHERE}{self.log.keep()})"


class Start:
    """One start of the server, from its process to its end."""

    def __init__(self, supervisor: Supervisor, generation: Generation, is_proven: bool, why: str) -> None:
        self.served = False
        self.served_seconds = 0.0
        self.trouble = ""
        """Why it ended, in one line."""
        self._all = supervisor
        self._generation = generation
        self._is_proven = is_proven
        self._why = why or self._why_now()
        self._after = supervisor.last_trouble
        self._timeout_seconds = generation.start_timeout_seconds
        self._began = now()
        self._waited_from = self._began
        """From when on it has had all that it needs to get ready: distrust is not its own slowness."""
        self._ready_at = 0.0
        self._stages = Stages()
        self._said = ("", "")
        self._refusal = ""
        self._distrust = ""
        """Why clients do not trust a server that may be ready, in one line."""
        self._is_ready = threading.Event()
        self._is_over = threading.Event()

    def run(self) -> None:
        """Start it, prove it, and wait until it has ended or the service is to end."""
        memory = MemoryWatch()
        try:
            server = ServerProcess(self._generation, self._all.generations.places, self._all.log, self._stages.feed)
        except (OSError, WorkError) as error:
            # As when the machine has no memory for another process, or its GPU does not answer.
            self.trouble = self._refused(f"the model server could not be started: {error}")
            self._record(self._failure(), None)
            return
        prover = threading.Thread(target=self._prove, daemon=True)
        prover.start()
        self._tell("starting")
        while not (self._all.is_ending or server.has_ended() or self._is_hopeless()):
            if self._is_ready.is_set() and not self.served:
                self._becomes_ready()
            elif not self.served and self._said != self._words():
                self._tell("starting")
            self._all.wake.wait(POLL_S)
            self._all.wake.clear()
        self._is_over.set()
        if self.served:
            self.served_seconds = now() - self._ready_at
            self._all.state.goes_down()
        if server.has_ended():
            server.sweep()
        else:
            server.end(drain=self.served)
        if self._refusal:
            self.trouble = self._refused(self._refusal)
        elif not self._all.is_ending:
            doing = "serving" if self.served else str(self._stages)
            self.trouble = self._ended(End(server.exit_status, doing, memory.has_killed()))
        if not self.served:
            self._record("stopped" if self._all.is_ending else self._failure(), None)

    def _ended(self, end: End) -> str:
        """Why it ended by itself, which is also the last line of its log."""
        kept = self._all.log.keep()
        told = reason("the model server", kept, end)
        self._all.log.end_with(f"error: {told}\n".encode())
        return told

    def _refused(self, why: str) -> str:
        """The same where it is known why."""
        self._all.log.end_with(f"error: {why}\n".encode())
        return f"{why} ({WHERE}{self._all.log.keep()})"

    def _why_now(self) -> str:
        if self._is_proven:
            return "restart"
        return "change" if self._all.generations.last_known_good else "first start"

    def _failure(self) -> str:
        return "fell back" if not self._is_proven and self._all.generations.last_known_good else "failed"

    def _is_hopeless(self) -> bool:
        """It will not get ready, or not in time where there is another one to go back to.

        A proven one has twice the time, and is started again: what it waits for may be there the next time.
        """
        limit = self._timeout_seconds * (2 if self._is_proven else 1)
        # A further start would show the same certificate.
        may_be_late = (
            not self._distrust and not self._is_ready.is_set() and self._all.generations.last_known_good is not None
        )
        if may_be_late and now() - self._waited_from > limit and not (self.served or self._refusal):
            self._refusal = (
                f"the model server was not ready after {limit} s, its stage was: {self._stages}; raise "
                "startTimeoutMinutes"
            )
        return bool(self._refusal)

    def _prove(self) -> None:
        probe = Probe(self._generation, self._all.generations.places)
        while not self._is_over.wait(POLL_S if probe.is_up else PROBE_S):
            try:
                if probe.is_ready():
                    check_offload(self._generation, self._stages, has_gpu=shutil.which("nvidia-smi") is not None)
                    self._is_ready.set()
                self._trusted()
            except TrustError as error:
                # Not the fault of a setting that has served: it serves on once there is another certificate.
                if not self._is_proven:
                    self._refusal = str(error)
                self._distrust = str(error)
            except NotReadyError as error:
                self._refusal = str(error)
            except NOT_YET:
                continue
            if self._is_ready.is_set() or self._refusal:
                self._all.wake.set()
                return

    def _trusted(self) -> None:
        """In this order: who sees that nothing is distrusted sees the new beginning too."""
        if self._distrust:
            self._waited_from = now()
        self._distrust = ""

    def _becomes_ready(self) -> None:
        self.served = True
        self._ready_at = now()
        try:
            self._all.generations.prove(self._generation.key)
        except OSError as error:
            # A full disk is no reason to take the model away.
            print(f"{self._generation.key} serves and could not be marked as good: {error}", flush=True)
        self._record("served", self._all.state.comes_up())
        # Last, since whoever follows looks for it and then for the rest.
        self._tell("serving")

    def _record(self, result: str, outage: float | None) -> None:
        try:
            self._all.timeline.add(
                key=self._generation.key,
                model=self._generation.model,
                revision=self._generation.config.get("revision"),
                why=self._why,
                stages=self._stages.seconds(),
                start=round(now() - self._began, 1),
                outage=None if outage is None else round(outage, 1),
                result=result,
                after=self._after,
                trouble=self.trouble,
            )
        except OSError as error:
            print(f"no line in the timeline: {error}", flush=True)

    def _words(self) -> tuple[str, str]:
        """What is told of a start, of both threads: its stage, and why it is not trusted."""
        return str(self._stages), self._distrust

    def _tell(self, doing: str) -> None:
        self._said = stage, distrust = self._words()
        offloaded = self._stages.offloaded_gib
        key, trouble = self._generation.key, "" if self.served else distrust
        self._all.state.write(State(doing, key, self._why, stage, self._began, offloaded, trouble))


def check_offload(generation: Generation, stages: Stages, *, has_gpu: bool) -> None:
    """Refuse a server that was asked to keep weights in the machine's memory and says nothing of having done so.

    Some runners of vLLM 0.26 and 0.27 ignore the flag without a word. On a CPU the command line takes the flag away. A
    log from which the user has taken such lines proves nothing, and neither does that of the other backend, which has
    none (vllm/model_executor/offloader of 0.32: `auto` is `prefetch` where a group size is given).
    """
    config = generation.config
    wanted = float(config.get("cpu-offload-gb") or 0)
    backend = config.get("offload-backend") or "auto"
    is_uva = backend == "uva" or (backend == "auto" and not int(config.get("offload-group-size") or 0))
    if wanted and is_uva and has_gpu and stages.tells_of_memory and not stages.offloaded_gib:
        raise NotReadyError(
            f"{wanted:g} GiB of weights were to be kept in the machine's memory, and vLLM's log does not say that they "
            "are: set `VLLM_USE_V2_MODEL_RUNNER: 0` in vllmEnv, set cpuOffloadGb to 0, or leave vllmVersion out"
        )


def main() -> int:
    """Serve until SIGTERM."""
    hold()
    supervisor = Supervisor(Path.home())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.end())
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
