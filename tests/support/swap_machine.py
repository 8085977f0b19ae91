"""A machine of the kind `process` with our scripts, its real service manager and a stand-in for vLLM.

Commands run on it as over SSH, without SSH: a session of their own, the machine's environment.
"""

import json
import os
import random
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from components.vllm.programs import command
from components.vllm.server import Served, Setting, swap_command
from localcloud.machines.base import MachineSpec
from localcloud.machines.boot import first_boot, start_units
from localcloud.machines.disk import Disk
from localcloud.machines.processes import end_processes, processes_of
from tests.support.machine_release import lay_release
from tests.support.polling import PATIENCE_S, until

STAND_IN = Path(__file__).with_name("stand_in_vllm.py")
KEY = "sk-a-key-for-the-endpoint"
PORT = 8000
LOG_MEGABYTES = 120


def setting(model: str, has_tls: bool = False, **flags: Any) -> Setting:
    """What a stack would ask for; `flags` tell the stand-in what to do."""
    config = {"model": model, "revision": "c" * 40, "served-model-name": [model], "port": PORT}
    named = {name.replace("_", "-"): value for name, value in flags.items()}
    return Setting(json.dumps({**config, **named}), {}, has_tls, "installed")


class SwapMachine:
    """The machine; `pulumi` is played by `stage` and `swap`, in this order."""

    def __init__(self, root: Path) -> None:
        self.id = uuid4().hex
        # An address of its own out of many: other tests have machines at the same time.
        ip = f"127.78.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        self._spec = MachineSpec(self.id, ip, "box", "gpu_1x_gh200", (), None, 1, ())
        self._disk = Disk(root, self.id)
        self._disk.lay(self._spec, None)
        first_boot(self._disk, self._spec)
        self.home = self._disk.home
        self.base = self.home / ".local/share/lambda-vllm"
        self.settings = self.home / ".config/lambda-vllm"
        self.release = lay_release(self.home)
        self.install("vllm-0.32.0-cpu")

    @property
    def address(self) -> str:
        """Where its server listens."""
        return self._spec.ip

    def install(self, name: str, key: str = "installed") -> None:
        """Put a stand-in for vLLM in place, as the install with that key would."""
        programs = self.base / "venvs" / name / "bin"
        programs.mkdir(parents=True)
        for program in ("vllm", "python"):
            (programs / program).write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n')
            (programs / program).chmod(0o755)
        new = self.base / "venv.new"
        new.symlink_to(self.base / "venvs" / name)
        new.replace(self.base / "venv")
        (self.base / "installs").mkdir(exist_ok=True)
        new.symlink_to(self.base / "venvs" / name)
        new.replace(self.base / "installs" / key)

    def fail_restarts(self) -> None:
        """From now on the service manager refuses to restart anything."""
        self._before_restarts("exit 1")

    def slow_restarts(self, seconds: float) -> None:
        """From now on the service manager takes its time before it restarts anything."""
        self._before_restarts(f"sleep {seconds}")

    def _before_restarts(self, command: str) -> None:
        program = self._disk.path / "bin/systemctl"
        real = program.with_name("real-systemctl")
        program.rename(real)
        program.write_text(f'#!/bin/sh\n[ "$2" != restart ] || {command}\nexec {real} "$@"\n')
        program.chmod(0o755)

    def slow_service(self, seconds: float) -> None:
        """From now on the service takes its time before it does anything."""
        script = self.release / "components/on_machine/service/supervise.py"
        slow = f"    __import__('time').sleep({seconds})\n    supervisor = Supervisor("
        script.write_text(script.read_text().replace("    supervisor = Supervisor(", slow))

    def start(self, command: str) -> "subprocess.Popen[str]":
        """Begin a command as SSH would."""
        return subprocess.Popen(
            [*self._disk.entry(), "bash", "-c", command],
            cwd=self.home,
            env=self._disk.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str, stdin: str = "") -> tuple[int, str]:
        """A command to its end: status and output."""
        with self.start(command) as running:
            output, _ = running.communicate(stdin, timeout=2 * PATIENCE_S)
        return running.returncode, output

    def stage(self, wanted: Setting, timeout_s: int = 60) -> None:
        """The first of the two commands."""
        status, output = self.run(command("service.request"), wanted.request([KEY], LOG_MEGABYTES, timeout_s))
        assert status == 0, output

    def begin(self, wanted: Setting, timeout_s: int = 60) -> "subprocess.Popen[str]":
        """Both, without waiting for the second."""
        self.stage(wanted, timeout_s)
        return self.start(swap_command(wanted.key, timeout_s))

    def up(self, wanted: Setting, timeout_s: int = 60) -> tuple[int, str]:
        """Both commands to their end."""
        self.stage(wanted, timeout_s)
        return self.run(swap_command(wanted.key, timeout_s))

    def reboot(self) -> None:
        """Everything ends, and what is enabled comes back."""
        end_processes(self.id)
        self._disk.clear_volatile()
        self._disk.lay(self._spec, None)
        start_units(self._disk)

    def remove(self) -> None:
        """Nothing is left."""
        end_processes(self.id)
        self._disk.remove()

    def served(self, scheme: str = "http", context: ssl.SSLContext | None = None) -> str | None:
        """The model that answers to the key."""
        request = urllib.request.Request(
            f"{scheme}://{self._spec.ip}:{PORT}/v1/models", headers={"Authorization": f"Bearer {KEY}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5, context=context) as answer:
                return str(json.load(answer)["data"][0]["id"])
        except (OSError, ValueError):
            return None

    def until_served(self, model: str) -> None:
        """Wait until it answers."""
        until(lambda: self.served() == model)

    def processes(self, word: str) -> list[psutil.Process]:
        """Those of the machine that have a word in their command line."""
        found = []
        for process in processes_of(self.id):
            with suppress(psutil.NoSuchProcess):
                if word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def kill(self, word: str) -> None:
        """SIGKILL to all that have a word in their command line; there has to be one."""
        found = self.processes(word)
        assert found, word
        for process in found:
            with suppress(psutil.NoSuchProcess):
                os.kill(process.pid, signal.SIGKILL)

    @property
    def servers(self) -> set[int]:
        """Process ids of the stand-ins that serve or load."""
        found = set()
        for process in self.processes("vllm.yaml"):
            with suppress(psutil.NoSuchProcess):
                if "python" in process.name():
                    found.add(process.pid)
        return found

    @property
    def state(self) -> dict[str, Any]:
        """What the service says that it does."""
        with suppress(OSError, ValueError):
            read: dict[str, Any] = json.loads((self.base / "service.json").read_text())
            return read
        return {}

    @property
    def timeline(self) -> list[dict[str, Any]]:
        """Every start."""
        file = self.base / "timeline.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def named(self, link: str) -> str:
        """The model of the setting that `current` or `last-known-good` names."""
        return str(json.loads((self.settings / link / "vllm.yaml").read_text())["model"])


def told(output: str) -> Served:
    """What a swap says to the program, in the last line of all that it printed."""
    return Served.of(output.splitlines()[-1])


def place(output: str) -> tuple[str, str, int]:
    """Of that, the model, and how and where it is served."""
    served = told(output)
    return served.model, served.scheme, served.port


@contextmanager
def swap_machine(root: Path) -> Iterator[SwapMachine]:
    """A machine that is taken away in the end."""
    machine = SwapMachine(root)
    try:
        yield machine
    finally:
        machine.remove()


def own_ca(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A certificate with its key, for names, and the certificate of the CA that gave it; both PEM."""
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA of the test")])

    def build(subject: x509.Name, public: ec.EllipticCurvePublicKey, is_ca: bool) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )

    ca = build(ca_name, ca_key.public_key(), True).sign(ca_key, hashes.SHA256())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    certificate = build(subject, key.public_key(), False).add_extension(alternative, critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signed = certificate.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return private + signed, ca.public_bytes(Encoding.PEM)
