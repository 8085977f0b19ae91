"""vLLM on a machine: the programs that do the work there, the driver, and the install as a job."""

import json
from dataclasses import dataclass, field

import pulumi

from components.machine.gpu_machine import GpuMachine
from components.machine.host import unpack_command
from components.on_machine.jobs.job import Result
from components.on_machine.shared.secret_input import with_end
from components.settings.groups import InstallSettings
from components.vllm.programs import PROGRAMS, command, environment_key, job, work_key
from components.vllm.release.install.versions import PINNED, TARGETS

DRIVER_TIMEOUT_S = 2400
"""Ten minutes of it are for the first boot to end."""
REBOOT_DIAL_ATTEMPTS = 200
"""About a quarter of an hour: the plugin waits longer from attempt to attempt, and a GH200 boots slowly."""


@dataclass(frozen=True)
class VllmStackArgs:
    """What is installed, and how."""

    installation: InstallSettings = field(default_factory=InstallSettings)
    cache: pulumi.Input[str] | None = None
    """Folder on the machine that outlives it, for weights and caches."""
    port: int = 8000
    """Where a server that runs already has to show a new certificate."""
    certificate: pulumi.Input[str] = ""
    """Key, certificate and the authority's certificate (PEM); empty without TLS."""


class VllmStack:
    """vLLM, installed for the accelerator that the machine says it has. All of it belongs to the machine."""

    ready: pulumi.Resource
    """What other work waits for: the programs are there, no driver step reboots the machine any more, and the
    certificate is in its place."""
    installed: pulumi.Resource
    environment_key: str
    """Changes with what is installed, and not with how."""
    install_seconds: pulumi.Output[int]

    def __init__(self, name: str, machine: GpuMachine, args: VllmStackArgs) -> None:
        host = machine.host
        programs = host.put(f"{name}-programs", PROGRAMS)
        driver = work_key("driver", *driver_words(args))
        told = pulumi.Output.all(machine.booted_at, pulumi.Output.from_input(args.cache or ""))
        prepared = host.run(
            f"{name}-prepare",
            prepare_command(args),
            # The archive has all of it; a change in another folder than the driver's only has to be unpacked.
            triggers=[driver, PROGRAMS.hash],
            stdin=told.apply(lambda known: json_input(at=known[0], cache=known[1])),
            after=[programs],
        )
        certificate = pulumi.Output.secret(args.certificate)
        self.ready = host.run(
            f"{name}-ready",
            ready_command(args),
            triggers=[driver, work_key("tls")],
            stdin=certificate.apply(lambda pem: json_input(port=args.port, certificate=pem)),
            after=[prepared],
            # A reboot needs a new connection, which finds the machine booted anew.
            dial_attempts=REBOOT_DIAL_ATTEMPTS,
        )
        self.environment_key = key_of_environment(args)
        installed = host.run(
            f"{name}-install", install_command(args), triggers=[install_key(args)], after=[self.ready], is_job=True
        )
        self.installed = installed
        self.install_seconds = seconds_of(installed.stdout)


def wanted_version(args: VllmStackArgs) -> str:
    """The word for the machine: one that is named and is the pinned one everywhere is no other wish."""
    version = args.installation.vllm_version
    is_pinned = version is None or all(pinned.vllm == version for pinned in TARGETS.values())
    return PINNED if version is None or is_pinned else version


def key_of_environment(args: VllmStackArgs) -> str:
    """Of what is installed, whatever does it."""
    asked = args.installation
    return environment_key(asked.install, wanted_version(args), build_triton=asked.build_triton)


def driver_words(args: VllmStackArgs) -> list[str]:
    """Arguments of the driver's steps."""
    return [args.installation.driver, args.installation.install, wanted_version(args)]


def install_words(args: VllmStackArgs) -> list[str]:
    """Arguments of the install that change what is installed."""
    asked = args.installation
    return [asked.install, asked.driver, wanted_version(args), *(["--triton"] if asked.build_triton else [])]


def install_key(args: VllmStackArgs) -> str:
    """Changes when the install has to be done again; it finds itself what is there already."""
    return work_key("install", *install_words(args))


def install_command(args: VllmStackArgs) -> str:
    """Command that installs vLLM, as a job."""
    timeout = 3 * 3600 if args.installation.install == "source" else 3600
    key = key_of_environment(args)
    words = [*install_words(args), "--environment-key", key]
    # Not a part of the key: how many compile at once changes nothing of what is built.
    compilers = args.installation.build_jobs
    jobs = ["--jobs", str(compilers)] if compilers else []
    return job("install", install_key(args), timeout, "install", *words, *jobs)


def prepare_command(args: VllmStackArgs) -> str:
    """Command that begins to use the programs that were sent, waits for the first boot, and sees to the driver."""
    prepare = f"timeout {DRIVER_TIMEOUT_S} {command('driver.prepare', *driver_words(args))}"
    return f"{unpack_command(PROGRAMS)} && cd && {prepare}"


def ready_command(args: VllmStackArgs) -> str:
    """Command that proves the driver over a new connection and puts the certificate into its place."""
    return f"timeout {DRIVER_TIMEOUT_S} {command('ready', *driver_words(args))}"


def json_input(**values: object) -> str:
    """An object as the standard input of a program on the machine, which knows by its end that it is whole."""
    return with_end(json.dumps(values))


def seconds_of(stdout: pulumi.Output[str]) -> pulumi.Output[int]:
    """How long a job took, by its result."""
    return pulumi.Output.unsecret(stdout).apply(lambda text: Result.from_json(text).seconds)
