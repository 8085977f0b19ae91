"""The systemd user unit of the server, and what is asked of systemd."""

import getpass
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from components.on_machine.shared.files import replace_file
from components.on_machine.shared.locks import is_locked
from components.on_machine.shared.paths import RELEASE, UNIT

POLL_S = 0.5
GIVEN_UP = 3
"""Exit status of a service that would fail the same way again: systemd does not start it anew."""
SPARE_SECONDS = 60
"""For a server that does not end in its time and is killed, before systemd would kill the service."""

# The kernel may kill a process of vLLM for want of memory. systemd's own answer would be to end the service, with the
# cause of the failure: the service sees it by itself.
# The service has pauses of its own: these are for its own death and for the end of its patience. RestartSteps and
# RestartMaxDelaySec are of systemd 254: older ones, as Ubuntu 22.04's 249, wait ten seconds each time.
TEXT = """[Unit]
Description=vLLM, an OpenAI-compatible model server
StartLimitIntervalSec=6h
StartLimitBurst=10

[Service]
Type=simple
WorkingDirectory={release}
ExecStart=/usr/bin/env python3 -m components.on_machine.service.supervise
Restart=on-failure
RestartSec=10
RestartSteps=5
RestartMaxDelaySec=600
RestartPreventExitStatus={given_up}
KillMode=mixed
OOMPolicy=continue
TimeoutStopSec={stop_seconds}

[Install]
WantedBy=default.target
"""


class ServiceUnit:
    """The unit of a home directory."""

    def __init__(self, home: Path, base: Path) -> None:
        self._file = home / ".config/systemd/user" / UNIT
        self._home = home
        self._base = base
        self._lock = base / "restart.lock"
        # A login without a session of its own does not have this one set.
        os.environ.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")

    def install(self, drain_seconds: int) -> None:
        """Write it, and let it come back after a reboot without anybody's login."""
        text = TEXT.format(release=self._home / RELEASE, given_up=GIVEN_UP, stop_seconds=drain_seconds + SPARE_SECONDS)
        # What systemd has read is noted after it has: a reload that failed or was never given is made up for.
        read = self._base / "unit.read"
        if any(not file.exists() or file.read_text() != text for file in (self._file, read)):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # systemd warns of a unit that not everybody can read.
            replace_file(self._file, text, 0o644)
            if self._systemctl("daemon-reload"):
                read.write_text(text)
        # systemd reads all its units anew for that, so only where the link is missing that makes it start at boot.
        if not (self._file.parent / "default.target.wants" / UNIT).is_symlink():
            self._systemctl("enable", UNIT)
        _linger()

    def restart(self, tick: Callable[[], None] = lambda: None) -> bool:
        """Stop it if it runs, and start it; False when systemd says that it did not.

        It is one order to systemd, which carries it out whoever dies meanwhile. `tick` is called all the time.
        """
        # One that failed too often would not be started.
        self._systemctl("reset-failed", UNIT)
        # The lock is held by flock alone, and not by what the order starts.
        return self._systemctl("restart", UNIT, before=("flock", "--close", str(self._lock)), tick=tick)

    def is_restarting(self) -> bool:
        """True while an order to restart is carried out, also one whose giver was killed."""
        return is_locked(self._lock)

    def is_active(self) -> bool:
        """True while systemd has a process of it that runs, however far that has come."""
        return self._file.exists() and self._systemctl("is-active", "--quiet", UNIT)

    def _systemctl(self, *words: str, before: tuple[str, ...] = (), tick: Callable[[], None] = lambda: None) -> bool:
        # In a session of its own, so that what ends this process does not end it half way.
        command = [*before, "systemctl", "--user", *words]
        with subprocess.Popen(command, stdout=sys.stderr, start_new_session=True) as ordered:
            while True:
                try:
                    return ordered.wait(POLL_S) == 0
                except subprocess.TimeoutExpired:
                    tick()


def _linger() -> None:
    command = ["loginctl", "enable-linger", getpass.getuser()]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        subprocess.run(["sudo", *command], stdout=sys.stderr, check=False)
