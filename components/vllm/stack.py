"""vLLM on a machine: the scripts that do the work there, the driver, and the install as a job."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import remote

from components.machine.host import SCRIPTS, SETTINGS, Host, content_hash
from components.vllm.versions import PINNED_VLLM

FOLDER = Path(__file__).parent / "scripts"
JOB = Path(__file__).parent.parent / "machine" / "job.sh"
LOCKS = FOLDER / "locks"
FILES = (
    JOB,
    *sorted(path for path in FOLDER.iterdir() if path.suffix in {".sh", ".py", ".env"}),
    *sorted(LOCKS.glob("*.txt")),
)
"""What is copied to the machine, all into one folder."""

NOT_INSTALLING = frozenset(
    {
        "__init__.py",
        "access_log.py",
        "check_config.py",
        "certificate.py",
        "download.sh",
        "download.py",
        "ends.py",
        "explain.py",
        "failures.py",
        "fetch.py",
        "generations.py",
        "guard.py",
        "guard_connections.py",
        "log_files.py",
        "probe.py",
        "serve.sh",
        "server_process.py",
        "service_state.py",
        "service_unit.py",
        "stage.py",
        "stages.py",
        "supervise.py",
        "swap.py",
        "timeline.py",
        "trust.py",
    }
)
"""Scripts that leave what is installed as it is."""

DRIVER_TIMEOUT_S = 1800
REBOOT_DIAL_ATTEMPTS = 200
"""About a quarter of an hour: the plugin waits longer from attempt to attempt, and a GH200 boots slowly."""

_DONE = re.compile(r"^\w+: done in (\d+) s", re.MULTILINE)


@dataclass(frozen=True)
class VllmStackArgs:
    """What is installed, and how."""

    install: str = "wheel"
    """`wheel`, `precompiled` (the source tree with the wheel's compiled parts) or `source`."""
    vllm_version: str | None = None
    """None for the pinned one."""
    build_triton: bool = False
    build_jobs: int | None = None
    """Compilers at once; None for as many as the machine's cores and memory bear."""
    driver: str = "auto"
    """`auto`, `compat`, `upgrade` or `keep`."""
    cache: pulumi.Input[str] | None = None
    """Folder on the machine that outlives it, for weights and caches."""


class VllmStack(pulumi.ComponentResource):
    """vLLM, installed for the accelerator that the machine says it has."""

    prepared: list[pulumi.Resource]
    """What other work on the machine has to wait for: the scripts, and a driver that does not reboot it any more."""
    installed: remote.Command
    install_key: str
    """Changes with what would be installed."""
    vllm_version: str
    install_seconds: pulumi.Output[int | None]

    def __init__(self, name: str, host: Host, args: VllmStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("lambdavllm:vllm:VllmStack", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        scripts: list[pulumi.Resource] = [host.put(f"{name}-{file.name}", file, child) for file in FILES]
        cache = host.run(f"{name}-cache", cache_command(), stdin=args.cache or "", opts=child)
        driver = self._driver(name, host, args, [*scripts, cache])
        self.prepared = [*scripts, cache, driver]
        self.install_key = install_key(args)
        self.vllm_version = args.vllm_version or PINNED_VLLM
        self.installed = host.run(
            f"{name}-install",
            install_command(args),
            triggers=[self.install_key],
            opts=pulumi.ResourceOptions(parent=self, depends_on=self.prepared),
        )
        self.install_seconds = seconds_of(self.installed)
        self.register_outputs({})

    def _driver(self, name: str, host: Host, args: VllmStackArgs, before: list[pulumi.Resource]) -> remote.Command:
        """The driver as it has to be. A reboot needs a second connection, which finds the machine booted anew."""
        key = content_hash(*(FOLDER / file for file in ("driver.sh", "driver.py")), more=[args.driver, args.install])
        chosen = host.run(
            f"{name}-driver",
            driver_command(args),
            triggers=[key],
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )
        return host.run(
            f"{name}-driver-ready",
            driver_command(args, "verify"),
            triggers=[key],
            dial_attempts=REBOOT_DIAL_ATTEMPTS,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[chosen]),
        )


def install_key(args: VllmStackArgs) -> str:
    """Hash of what would be installed, so that a changed pin is installed and an unchanged one is not touched."""
    files = [file for file in FILES if file.parent in (FOLDER, LOCKS) and file.name not in NOT_INSTALLING]
    return content_hash(*files, more=install_words(args))


def install_words(args: VllmStackArgs) -> list[str]:
    """Arguments of install.sh."""
    options = ["--triton"] if args.build_triton else []
    return [args.install, args.driver, args.vllm_version or PINNED_VLLM, *options]


def install_command(args: VllmStackArgs) -> str:
    """Command that installs vLLM, as a job."""
    timeout = 3 * 3600 if args.install == "source" else 3600
    command = job("install", install_key(args), timeout, "install.sh", *map(shlex.quote, install_words(args)))
    # Not a part of the key: how many compile at once changes nothing of what is built.
    return f"MAX_JOBS={args.build_jobs} {command}" if args.build_jobs else command


def driver_command(args: VllmStackArgs, *step: str) -> str:
    """Command that makes the driver what it has to be, or with `verify` proves that it is."""
    words = [*step, args.driver, args.install, args.vllm_version or PINNED_VLLM]
    return f"timeout {DRIVER_TIMEOUT_S} bash {SCRIPTS}/driver.sh {' '.join(words)}"


def cache_command() -> str:
    """Command that writes where caches are kept, by its input; an empty one means the machine's own disk."""
    file = f"{SETTINGS}/cache"
    return (
        f"mkdir -p {SETTINGS} && cat > {file}.new && if [ -s {file}.new ]; then mv {file}.new {file}; "
        f"else rm -f {file} {file}.new; fi"
    )


def job(name: str, key: str, timeout_s: int, script: str, *arguments: str) -> str:
    """Command that runs a script as a job and follows it. The timeout ends the following; the job itself goes on."""
    words = [
        "timeout",
        str(timeout_s),
        "bash",
        f"{SCRIPTS}/job.sh",
        name,
        key,
        "bash",
        f"{SCRIPTS}/{script}",
        *arguments,
    ]
    return " ".join(words)


def seconds_of(command: remote.Command) -> pulumi.Output[int | None]:
    """How long the work of a command took, by its own last line."""
    return pulumi.Output.unsecret(command.stdout).apply(parse_seconds)


def parse_seconds(stdout: str) -> int | None:
    """Seconds in a line such as `install: done in 34 s`; None when there is none."""
    found = _DONE.findall(stdout or "")
    return int(found[-1]) if found else None
