"""Makes the service serve a setting that lies on this disk, and follows it until it does: `swap KEY`, run as a job.

What serves already is not touched. Else the new setting is looked at while the old one serves, then the service is
started anew with it. The service itself proves it and goes back to the last good one when it fails, so that nothing
depends on this program, which may be killed at any moment and run again. It gives way when another setting is wanted.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.on_machine.diagnose.explain import cause
from components.on_machine.service.generations import Generation, Generations
from components.on_machine.service.probe import NOT_YET, NotReadyError, Probe, TrustError
from components.on_machine.service.serve import check_command, command_and_environment
from components.on_machine.service.state import ServiceState, State
from components.on_machine.service.timeline import Timeline
from components.on_machine.service.unit import ServiceUnit
from components.on_machine.shared.clock import now
from components.on_machine.shared.paths import SETTING
from components.on_machine.shared.work import RESULT_VARIABLE, Facts, WorkError, run_work, say

POLL_S = 0.1
ASK_S = 0.5
"""Between two requests to a server that has clients."""
REPORT_S = 10.0
CHECK_TIMEOUT_S = 300
DEAD_S = 60.0
"""A service that has not shown itself for so long was not started, or ended at once. systemd starts it again after
10 s, and then after longer pauses."""
BUSY_S = 120.0
"""A server that serves may have so many clients that its answer to this program takes a while."""
STRAYED_S = 1.0
"""For so long another setting may be named: an earlier service left it, or a failure is written down in this moment."""
GOING_BACK_S = 120.0
"""For the end of the old server and of one that fails, besides their requests: then the service has to have decided."""


class Swap:
    """One request for one setting."""

    def __init__(self, home: Path, key: str) -> None:
        self._generations = Generations(home)
        self._generation = self._generations.get(key)
        self._state = ServiceState(self._generations.places)
        self._timeline = Timeline(self._generations.places.timeline)
        self._unit = ServiceUnit(home, self._generations.base)
        self._key = key

    def run(self) -> Facts:
        """Return when the setting is served, with what is served; `WorkError` when it is not."""
        if not (self._generation.folder / SETTING).exists():
            raise WorkError(
                "these settings are not on this machine any more: change one of them, such as startTimeoutMinutes, so "
                "that they are written again"
            )
        self._await_earlier_order()
        if self._is_served():
            say(f"{self._generation.model} is served with these settings already")
            return self._facts(None)
        before = self._serving()
        if not self._is_on_its_way():
            if before:
                self._check_config(before)
            self._switch(before)
        self._follow(before)
        return self._facts(self._timeline.last(self._key))

    def _await_earlier_order(self) -> None:
        """Wait for what a request that was killed has ordered: what serves now would be stopped in a moment.

        A start that is ended before it is ready counts against its setting, so one that begins is left alone until it
        says what it starts.
        """
        began = now()
        for _ in self._while_wanted(doing="waiting for the start that an earlier request has ordered"):
            if self._unit.is_restarting():
                began = now()
            elif not self._is_beginning() or now() - began > DEAD_S:
                break

    def _is_beginning(self) -> bool:
        """The service runs, and has not said yet what it starts."""
        if not self._state.is_alive:
            return self._unit.is_active()
        state = self._state.read()
        return not state.key or state.doing in {"stopped", "failed"}

    def _is_served(self) -> bool:
        """The service runs it and a token comes; a mark that says otherwise is put right.

        Clients of a server that is busy are not cut off for that: it has time to answer, and is not started anew.
        """
        probe = Probe(self._generation, self._generations.places)
        began = now()
        for _ in self._while_wanted(ASK_S, "waiting for a token from the server, which is busy"):
            if not self._state.is_serving(self._key):
                return False
            with suppress(*NOT_YET):
                try:
                    if probe.is_ready():
                        break
                except TrustError as error:
                    raise WorkError(f"{self._generation.model} runs with these settings, but {error}") from None
                except NotReadyError:
                    return False
            if now() - began > BUSY_S:
                raise WorkError(
                    f"{self._generation.model} runs with these settings and gave no token in {BUSY_S:.0f} s: it is "
                    "busy or hangs; run `pulumi up` again, or on the machine `systemctl --user restart lambda-vllm`"
                )
        if self._generations.current != self._key:
            self._generations.switch_to(self._key)
        return True

    def _is_on_its_way(self) -> bool:
        """An earlier request started it, and was killed."""
        state = self._state.read()
        starting = (state.doing, state.key) == ("starting", self._key) and self._state.is_alive
        return starting and self._generations.current == self._key

    def _serving(self) -> str | None:
        """The model that is served at the moment."""
        state = self._state.read()
        if state.doing == "serving" and self._state.is_alive:
            return self._generations.get(state.key).model
        return None

    def _check_config(self, before: str) -> None:
        """Let the installed vLLM look at the new setting while the old one serves."""
        say(f"checking the settings for {self._generation.model} while {before} is served")
        status, text, could_tell = self._look()
        sys.stderr.write(text)
        # Killed ones, for want of memory or of time, have found nothing.
        if status > 0 and could_tell:
            raise WorkError(f"{cause(text)}; {before} is served as before, nothing was stopped", "refused-by-vllm")

    def _look(self) -> tuple[int, str, bool]:
        """Exit status and output of vLLM's look at the setting, and whether this vLLM could look at all."""
        command, environment = command_and_environment(self._generation, self._generations.places)
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
            outcome = Path(folder) / "outcome.json"
            began = now()
            with subprocess.Popen(
                check_command(command, self._generation),
                env={**environment, RESULT_VARIABLE: str(outcome)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            ) as looking:
                try:
                    for _ in self._while_wanted(doing="checking the settings"):
                        if looking.poll() is not None or now() - began > CHECK_TIMEOUT_S:
                            break
                finally:
                    # With all that it has started, which would hold memory that the next server wants.
                    with suppress(ProcessLookupError):
                        os.killpg(looking.pid, signal.SIGKILL)
            output.seek(0)
            return looking.returncode, output.read().decode(errors="replace"), not outcome.exists()

    def _switch(self, before: str | None) -> None:
        """Point to the new setting, then let the service begin anew."""
        state = self._state.read()
        running = self._generations.get(state.key) if before else self._generation
        self._unit.install(max(running.drain_seconds, self._generation.drain_seconds))
        self._generations.may_try(self._key)
        self._generations.switch_to(self._key)
        if before:
            say(f"stopping {before}: requests under way have {running.drain_seconds} s to end")
        else:
            say(f"starting {self._generation.model}")
        if not self._unit.restart(Ticker("stopping the old server" if before else "starting").tick):
            self._check_wanted()
            if before and self._state.is_serving(state.key):
                self._generations.switch_to(state.key)
                raise WorkError(
                    f"systemd did not restart the service, {before} is served as before: see on the machine "
                    "`systemctl --user status lambda-vllm`"
                )

    def _follow(self, before: str | None) -> None:
        """Until the service serves it, or has given it up."""
        began = reported = seen = on_course = now()
        limit = self._generation.start_timeout_seconds
        patience = limit + self._drain_seconds() + GOING_BACK_S if self._has_another() else limit
        last = self._timeline.last(self._key) or self._timeline.last(model=self._generation.model)
        for _ in self._while_wanted():
            if self._state.is_serving(self._key):
                return
            if trouble := self._generations.failure(self._key):
                raise WorkError(self._gone_back(trouble))
            state = self._state.read()
            if self._is_distrusted(state, self._generation):
                raise WorkError(f"{self._generation.model} runs with these settings, but {state.trouble}")
            is_alive = self._state.is_alive
            if not is_alive or state.key in {"", self._key}:
                on_course = now()
            if is_alive:
                seen = now()
                if now() - on_course > STRAYED_S:
                    # It may have said why since it was asked above.
                    said = self._generations.failure(self._key)
                    silent = "the service went back without a word; is the machine's disk full?"
                    raise WorkError(self._gone_back(said or silent))
            elif now() - seen > DEAD_S:
                why = f" ({state.trouble})" if state.trouble else ""
                raise WorkError(
                    f"the service does not run{why}: see on the machine `systemctl --user status lambda-vllm`"
                )
            if now() - began > patience:
                raise WorkError(
                    f"the model server was not ready after {patience:.0f} s, its stage is: {state.stage}; it goes on: "
                    "run `pulumi up` again to wait for it, or raise startTimeoutMinutes"
                )
            if now() - reported >= REPORT_S:
                reported = now()
                say(progress(state, last["start"] if last else None))

    def _drain_seconds(self) -> int:
        """What requests under way may take of the time, of whatever is served."""
        good = self._generations.last_known_good
        return self._generations.get(good).drain_seconds if good else 0

    def _has_another(self) -> bool:
        return self._generations.last_known_good not in {None, self._key}

    def _gone_back(self, trouble: str) -> str:
        """Wait until the last good setting serves again; what there is to say then."""
        good = self._generations.last_known_good
        if good is None:
            return trouble
        old = self._generations.get(good)
        say(f"{self._generation.model} does not serve with these settings: going back to {old.model}")
        began, reported = now(), now()
        for _ in self._while_wanted():
            state = self._state.read()
            if self._state.is_serving(good):
                last = self._timeline.last(good)
                outage = f" after {last['outage']:.0f} s without a model" if last and last["outage"] else ""
                why = trouble.removeprefix("the model server failed: ")
                return f"{old.model} is served again as before{outage}; the new settings failed: {why}"
            is_given_up = state.doing == "waiting" and state.key == good
            if is_given_up or self._is_distrusted(state, old) or now() - began > old.start_timeout_seconds:
                why = state.trouble or f"its stage is: {state.stage}"
                return (
                    f"NO MODEL IS SERVED: the last good settings do not come up either ({why}), and are tried further; "
                    f"the new settings failed: {trouble}"
                )
            if now() - reported >= REPORT_S:
                reported = now()
                say(progress(state, None))
        return trouble

    def _is_distrusted(self, state: State, generation: Generation) -> bool:
        """Whether its server runs and clients do not trust it; what the service says may be of a moment ago."""
        if not state.trouble or (state.doing, state.key) != ("starting", generation.key):
            return False
        with suppress(*NOT_YET):
            return Probe(generation, self._generations.places).distrust() is not None
        return False

    def _facts(self, start: dict[str, Any] | None) -> Facts:
        """What `pulumi` reads of it; `start` is the one that this request was for."""
        state = self._state.read()
        if state.offloaded_gib:
            say(f"{state.offloaded_gib:g} GiB of the weights are in the machine's memory")
        last = start or self._timeline.last(self._key)
        return {
            "model": self._generation.model,
            "scheme": "https" if self._generation.has_tls else "http",
            "port": self._generation.port,
            # From the server's process to the first token, of the start that is served.
            "start_seconds": round(last["start"]) if last else None,
            # Without a model; None when none had to be stopped.
            "outage_seconds": round(start["outage"]) if start and start["outage"] is not None else None,
        }

    def _while_wanted(self, pause: float = POLL_S, doing: str | None = None) -> Iterator[None]:
        """Ticks, with a line now and then about what is done; `WorkError` when another setting has been asked for."""
        ticker = Ticker(doing) if doing else None
        while True:
            self._check_wanted()
            if ticker:
                ticker.tick()
            yield
            time.sleep(pause)

    def _check_wanted(self) -> None:
        if self._generations.wanted != self._key:
            raise WorkError("other settings were asked for meanwhile")


class Ticker:
    """One line every ten seconds while something is done that has no stages."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._began = self._said = now()

    def tick(self) -> None:
        """To be called more often than that."""
        if now() - self._said >= REPORT_S:
            self._said = now()
            say(f"{now() - self._began:.0f} s: {self._doing}")


def progress(state: State, last_seconds: float | None) -> str:
    """One line while a server starts."""
    last = "" if last_seconds is None else f" (last time {last_seconds:.0f} s)"
    if state.doing == "waiting":
        return f"waiting for the next try: {state.trouble}"
    return f"{max(0, now() - state.since):.0f} s: {state.stage or 'stopping the old server'}{last}"


if __name__ == "__main__":
    run_work(Swap(Path.home(), sys.argv[1]).run)
