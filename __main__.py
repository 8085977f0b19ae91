"""A model name in, an OpenAI-compatible endpoint on a GPU machine out. Settings, then components, then outputs."""

import os
import signal
from pathlib import Path

import pulumi

from components.lambda_cloud.api.account_folder import why_no_notes
from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.filesystem.resource import Filesystem
from components.machine.gpu_machine import GpuMachine, GpuMachineArgs
from components.machine.host import check_agent
from components.model.facts import ModelFacts
from components.model.hub.client import Hub
from components.model.pin.resource import ModelPin
from components.settings import KEYS, SettingsError, read_settings
from components.settings.exposure import exposure
from components.settings.unread import stack_file_text, unread_warnings
from components.tls.tls import Tls, TlsArgs
from components.vllm.api_key.resource import ApiKey
from components.vllm.decision import Decision, UnfitError
from components.vllm.endpoint_check.resource import EndpointCheck
from components.vllm.preflight import PreflightError, survey
from components.vllm.preflight.clock import clock_lines, is_behind
from components.vllm.preflight.plan_text import lines_beside_a_machine, lines_of_a_launch, lines_of_any_plan
from components.vllm.server import ModelServer, ModelServerArgs
from components.vllm.stack import VllmStack, VllmStackArgs

# When a resource fails, the engine interrupts this program; leaving quietly keeps the real error the last thing on
# the screen.
signal.signal(signal.SIGINT, lambda *_: os._exit(1))

machine_name = f"{pulumi.get_project()}-{pulumi.get_stack()}"[:48]
try:
    config, secret_keys = pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    stack_file = stack_file_text(Path.cwd(), pulumi.get_stack())
    settings = read_settings(config, set(secret_keys), os.environ, pulumi.get_project(), stack_file)
    for line in unread_warnings(config, os.environ, pulumi.get_project(), KEYS, stack_file):
        pulumi.log.warn(line)
    client = LambdaClient(settings.lambda_api_key, settings.api_url)
    plan = survey(settings, client, Hub(settings.hf_endpoint, settings.hf_token))
except (SettingsError, PreflightError) as error:
    raise pulumi.RunError(str(error)) from None
if no_notes := why_no_notes(settings.lambda_api_key, settings.api_url):
    pulumi.log.warn(no_notes)
if no_agent := check_agent(os.environ):
    raise pulumi.RunError(no_agent)
for line in [*lines_of_any_plan(plan), *plan.sent.notes]:
    pulumi.log.info(line)
for line in [*clock_lines(client.clock_ahead_s), *exposure(settings)]:
    pulumi.log.warn(line)
if settings.tls == "off" and settings.allowed_cidrs:
    pulumi.log.warn("tls is off: the key, the questions and the answers cross the network in the clear")

pin = ModelPin(
    "model",
    {
        "model": settings.model,
        "revision": settings.model_revision,
        "facts": plan.facts.to_json() if plan.facts else "",
        "problem": plan.problem,
        "obstacles": list(plan.warnings),
    },
)


def after_the_pin(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
    """A stack is begun with its pin. Where that is refused nothing else is made, not even a key on this computer."""
    after = pulumi.ResourceOptions(depends_on=[pin])
    return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, after))


pulumi.runtime.register_stack_transformation(after_the_pin)


def decision(facts: str, instance_type: str) -> Decision:
    """Of the commit that is pinned, which may be older than what preflight found."""
    try:
        return plan.decide(ModelFacts.from_json(facts), instance_type)
    except UnfitError as error:
        raise pulumi.RunError(str(error)) from None


def tell_of_another_commit(facts: str) -> None:
    """The plan is of what the revision is today."""
    pinned = ModelFacts.from_json(facts)
    if plan.facts and plan.facts.commit != pinned.commit:
        pulumi.log.info(
            f"{settings.model_revision} of {pinned.model} has moved: this stack stays at {pinned.commit[:12]} until "
            "model or modelRevision is changed"
        )


pin.facts.apply(tell_of_another_commit)
filesystem = settings.filesystem and Filesystem(
    "filesystem",
    {"name": settings.filesystem.name, "region": settings.regions[0], "retain": settings.filesystem.retain},
)
image_family, image_id = settings.image
machine = GpuMachine(
    "machine",
    GpuMachineArgs(
        name=machine_name,
        instance_types=pin.facts.apply(lambda facts: plan.types_for(ModelFacts.from_json(facts))),
        regions=settings.regions,
        image_family=image_family,
        image_id=image_id,
        open_port=settings.port,
        allowed_cidrs=settings.allowed_cidrs,
        ssh_port=settings.ssh_port,
        tags=settings.tags,
        max_price_cents_per_hour=settings.max_price_cents_per_hour,
        capacity_timeout_seconds=settings.capacity_timeout_minutes * 60,
        boot_timeout_seconds=settings.boot_timeout_minutes * 60,
        # By the name that is known in a preview, so that the preview knows what it replaces.
        filesystem_names=[settings.filesystem.name] if settings.filesystem else [],
        launch_after=[filesystem] if filesystem else [],
        obstacles=plan.warnings,
    ),
)


def tell_of_the_machine(instance_id: object) -> None:
    """The id is not known in a preview of a launch. In an update it is known once the machine is there, and what is
    told then holds for one that was there before: a launch that anything speaks against has been refused."""
    is_launched = pulumi.contains_unknowns(instance_id)
    for line in lines_of_a_launch(plan) if is_launched else lines_beside_a_machine(plan):
        pulumi.log.info(line)


machine.instance.id.apply(tell_of_the_machine, run_with_unknowns=True)
stack = VllmStack(
    "vllm",
    machine.host,
    VllmStackArgs(
        install=settings.install,
        vllm_version=settings.vllm_version,
        build_triton=settings.build_triton,
        build_jobs=settings.build_jobs,
        driver=settings.driver,
        cache=filesystem.mount_point.apply(lambda folder: f"{folder}/lambda-vllm") if filesystem else None,
    ),
)
api_key = ApiKey("api-key", settings.api_key or "").key
has_tls = settings.tls == "own-ca"
trust = TlsArgs(machine_name, settings.port, has_tls, stack.prepared, is_behind(client.clock_ahead_s))
tls = Tls("tls", machine.host, trust)
server = ModelServer(
    "server",
    machine.host,
    stack,
    ModelServerArgs(
        model=settings.model,
        facts=pin.facts,
        decision=pulumi.Output.all(pin.facts, machine.instance.instance_type).apply(lambda known: decision(*known)),
        hub_url=settings.hf_endpoint,
        hf_token=settings.hf_token,
        api_key=api_key,
        additional_api_keys=settings.additional_api_keys,
        port=settings.port,
        max_model_len=settings.max_model_len,
        vllm_args=plan.sent.flags,
        vllm_files=plan.sent.files,
        vllm_env=settings.vllm_env,
        start_timeout_seconds=settings.start_timeout_minutes * 60,
        log_megabytes=settings.log_megabytes,
        tls_ready=tls.ready,
    ),
)
check = EndpointCheck(
    "endpoint-check",
    {
        "ip": machine.ip,
        "port": settings.port,
        "model": settings.model,
        "api_key": pulumi.Output.secret(api_key),
        "ca_certificate": tls.ca_certificate if has_tls else "",
        "allowed_cidrs": settings.allowed_cidrs,
        "ssh_port": settings.ssh_port,
        "private_key": pulumi.Output.secret(machine.key.private_key),
        "public_host_key": machine.host_key.public_key,
        "served": pulumi.Output.format("{0} {1}", server.setting_key, tls.serial),
    },
    pulumi.ResourceOptions(depends_on=[server]),
)

# Given only when the model answers there, as far as this computer can see.
pulumi.export("endpoint", pulumi.Output.all(server.endpoint, check.reachable).apply(lambda known: known[0]))
pulumi.export("reachable", check.reachable)
if has_tls:
    pulumi.export("ca_certificate", tls.ca_certificate)
pulumi.export("api_key", pulumi.Output.secret(api_key))
pulumi.export("model", server.model)
pulumi.export("ip", machine.ip)
pulumi.export("instance_id", machine.instance.id)
pulumi.export("instance_type", machine.instance.instance_type)
pulumi.export("region", machine.instance.region)
pulumi.export("price_per_hour", machine.price_per_hour)
pulumi.export("ssh_private_key", machine.key.private_key)
pulumi.export("known_hosts", machine.known_hosts)
pulumi.export("ssh", machine.ssh)
pulumi.export("tunnel", machine.tunnel(settings.port))
pulumi.export(
    "timeline",
    {
        "boot": machine.boot_seconds,
        "install": stack.install_seconds,
        "download": server.download_seconds,
        "start": server.start_seconds,
        "outage": server.outage_seconds,
    },
)
