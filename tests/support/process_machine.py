"""A booted `process` machine for tests, and real SSH clients to use it with."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncssh
import psutil

from localcloud.machines.accelerator import Accelerator
from localcloud.machines.base import MachineSpec, Mount
from localcloud.machines.process import ProcessMachines
from localcloud.machines.processes import processes_of
from localcloud.machines.ssh_faults import SshFaults

WEB_UNIT = """[Unit]
Description=Files over HTTP
[Service]
EnvironmentFile=%h/web.env
WorkingDirectory=%h
ExecStart=/bin/sh -c 'echo serving on $BIND_ADDRESS; exec python3 -m http.server --bind $BIND_ADDRESS $WEB_PORT'
[Install]
WantedBy=default.target
"""


@dataclass
class Result:
    status: int
    output: str
    errors: str


@dataclass
class Machine:
    machines: ProcessMachines
    spec: MachineSpec
    key: Path
    home: Path

    async def run(self, *program: str, stdin: bytes = b"") -> Result:
        process = await asyncio.create_subprocess_exec(
            *program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(stdin), 120)
        return Result(process.returncode or 0, output.decode(), errors.decode())

    @property
    def options(self) -> list[str]:
        fixed = ("LogLevel=ERROR", "BatchMode=yes", "StrictHostKeyChecking=accept-new", "IdentitiesOnly=yes")
        named = [*fixed, f"UserKnownHostsFile={self.key.parent / 'known_hosts'}"]
        return ["-F", "none", "-i", str(self.key), *(word for option in named for word in ("-o", option))]

    def ssh_command(self, *arguments: str, user: str = "ubuntu") -> list[str]:
        return ["ssh", *self.options, "-p", str(self.machines.ssh_port), f"{user}@{self.spec.ip}", *arguments]

    async def ssh(self, command: str, stdin: bytes = b"", user: str = "ubuntu") -> Result:
        return await self.run(*self.ssh_command(command, user=user), stdin=stdin)

    async def connect(self) -> asyncssh.SSHClientConnection:
        return await asyncssh.connect(
            self.spec.ip,
            self.machines.ssh_port,
            username="ubuntu",
            client_keys=[str(self.key)],
            known_hosts=None,
            config=None,
            agent_path=None,
        )

    async def write_unit(self, port: int) -> None:
        units = self.home / ".config" / "systemd" / "user"
        units.mkdir(parents=True)
        (units / "web.service").write_text(WEB_UNIT)
        (self.home / "web.env").write_text(f"WEB_PORT={port}\n")


@asynccontextmanager
async def booted(
    root: Path,
    user_data: str | None = None,
    mounts: tuple[Mount, ...] = (),
    accelerator: Accelerator | None = None,
    gpus: int = 1,
    faults: SshFaults | None = None,
    disk_bytes: int | None = None,
) -> AsyncIterator[Machine]:
    folder = root / uuid4().hex
    folder.mkdir()
    key = folder / "id_ed25519"
    pair = asyncssh.generate_private_key("ssh-ed25519")
    pair.write_private_key(key)
    key.chmod(0o600)
    machines = ProcessMachines(root / "machines", accelerator, faults)
    instance_id = uuid4().hex
    public = pair.export_public_key().decode()
    spec = MachineSpec(
        instance_id,
        machines.allocate_ip(set()),
        "box",
        "gpu_1x_gh200",
        (public,),
        user_data,
        gpus,
        mounts,
        disk_bytes,
    )
    try:
        await machines.start(spec)
        yield Machine(machines, spec, key, root / "machines" / instance_id / "home" / "ubuntu")
    finally:
        await machines.destroy(instance_id)
        await machines.close()


def check(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 240))


def free_port(ip: str) -> int:
    with socket.socket() as probe:
        probe.bind((ip, 0))
        port: int = probe.getsockname()[1]
        return port


def last_words(machine: Machine) -> list[str]:
    """The last argument of every process of the machine."""
    words: list[str] = []
    for process in processes_of(machine.spec.instance_id):
        # It may have ended since it was found.
        with suppress(psutil.NoSuchProcess):
            words += process.cmdline()[-1:]
    return sorted(words)


def has_ended(process: psutil.Process) -> bool:
    """Ended, though perhaps not yet noticed by the parent."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def http_get(ip: str, port: int) -> str:
    for _ in range(100):
        try:
            reader, writer = await asyncio.open_connection(ip, port)
            break
        except OSError:
            await asyncio.sleep(0.1)
    else:
        raise AssertionError(f"nothing answers on {ip}:{port}")
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.decode()
