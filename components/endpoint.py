"""An OpenAI-compatible endpoint: a model on a machine of its own, with a key, a firewall and a certificate."""

from collections.abc import Sequence
from typing import Any

import pulumi

from components.dynamic.change_marker.resource import ChangeMarker
from components.lambda_cloud.filesystem.resource import Filesystem
from components.lambda_cloud.stack_mark.resource import stack_mark
from components.machine.access import Access, AccessArgs
from components.machine.gpu_machine import GpuMachine, GpuMachineArgs
from components.model.facts import ModelFacts
from components.model.pin.resource import ModelPin
from components.settings import Settings
from components.tls.authority.resource import CertificateAuthority
from components.tls.certificate.resource import ServerCertificate
from components.vllm.api_key.resource import ApiKey
from components.vllm.decision import Decision, UnfitError
from components.vllm.endpoint_check.resource import EndpointCheck
from components.vllm.preflight import Plan
from components.vllm.preflight.plan_text import lines_beside_a_machine, lines_of_a_launch
from components.vllm.programs import work_key
from components.vllm.server import ModelServer, ModelServerArgs
from components.vllm.stack import VllmStack, VllmStackArgs
from components.vllm.versions import drains

LONGEST_NAME = 48


class VllmEndpoint(pulumi.ComponentResource):
    """A model that answers at `url`. A program may make several; they may share an `authority`.

    `plan` is what `preflight` or `survey` found for its settings. `in_account` begins the names of what it makes in the
    account; without it they begin with project, stack and `name`.
    """

    url: pulumi.Output[str]
    """OpenAI base URL, ends in `/v1`. Known when the model answers there, as far as this computer can see."""
    api_key: pulumi.Output[str]
    machine: GpuMachine
    server: ModelServer
    authority: CertificateAuthority

    def __init__(
        self,
        name: str,
        plan: Plan,
        *,
        authority: CertificateAuthority | None = None,
        clock_is_behind: bool = False,
        in_account: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        settings = plan.settings
        begun_with_pin = pulumi.ResourceOptions(transformations=[self._after_the_pin])
        super().__init__(
            "lambdavllm:index:VllmEndpoint", name, None, pulumi.ResourceOptions.merge(opts, begun_with_pin)
        )
        own = pulumi.ResourceOptions(parent=self)
        self._plan = plan
        self.name = in_account[:LONGEST_NAME] or name_in_account(pulumi.get_project(), pulumi.get_stack(), name)
        self._pin: ModelPin | None = None
        self._pin = pin = self._pinned(name, own)
        # It belongs to the stack, and is begun with the first endpoint's pin all the same.
        stack_mark(after=[pin])
        self.api_key = pulumi.Output.secret(ApiKey(f"{name}-api-key", settings.api_key or "", own).key)
        # Also without TLS: once it is on again, clients that know it from before need no other one.
        self.authority = authority or CertificateAuthority(
            f"{name}-authority", {"name": self.name, "clock_is_behind": clock_is_behind}, own
        )
        filesystem = self._filesystem(name, own)
        self.machine = self._machine(name, pin, filesystem)
        certificate = self._certificate(name)
        stack = VllmStack(name, self.machine, self._stack_args(certificate, filesystem))
        self.server = self._server(name, pin, stack)
        self._check = self._checked(name, certificate, own)
        self.url = pulumi.Output.all(self.server.endpoint, self._check.reachable).apply(lambda known: known[0])
        self._install_seconds = stack.install_seconds
        self.register_outputs({"endpoint": self.url})

    @property
    def outputs(self) -> dict[str, Any]:
        """What a user of the endpoint needs, by the names of the stack's outputs."""
        machine, server = self.machine, self.server
        ca = {"ca_certificate": self._ca_certificate} if self._has_tls else {}
        return {
            "endpoint": self.url,
            "reachable": self._check.reachable,
            **ca,
            "api_key": self.api_key,
            "model": server.model,
            "ip": machine.ip,
            "instance_id": machine.instance.id,
            "instance_type": machine.instance.instance_type,
            "region": machine.instance.region,
            "price_per_hour": machine.price_per_hour,
            "ssh_private_key": machine.access.key.private_key,
            "known_hosts": machine.known_hosts,
            "ssh": machine.ssh,
            "tunnel": machine.tunnel(self._settings.port),
            "timeline": {
                "boot": machine.boot_seconds,
                "install": self._install_seconds,
                "download": server.download_seconds,
                "start": server.start_seconds,
                "outage": server.outage_seconds,
            },
        }

    @property
    def _settings(self) -> Settings:
        return self._plan.settings

    @property
    def _has_tls(self) -> bool:
        return self._settings.tls == "own-ca"

    @property
    def _ca_certificate(self) -> pulumi.Output[str]:
        return pulumi.Output.unsecret(self.authority.certificate)

    def _after_the_pin(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """It is begun with its pin. Where that is refused nothing else is made, not even a key on this computer."""
        pin = getattr(self, "_pin", None)
        if pin is None:
            return None
        after = pulumi.ResourceOptions(depends_on=[pin])
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, after))

    def _pinned(self, name: str, own: pulumi.ResourceOptions) -> ModelPin:
        plan = self._plan
        pin = ModelPin(
            f"{name}-model",
            {
                "model": plan.settings.model,
                "revision": plan.settings.model_revision,
                "facts": plan.facts.to_json() if plan.facts else "",
                "problem": plan.problem,
                "obstacles": list(plan.warnings),
            },
            own,
        )
        pin.facts.apply(self._tell_of_another_commit)
        return pin

    def _tell_of_another_commit(self, facts: str) -> None:
        """The plan is of what the revision is today."""
        pinned = ModelFacts.from_json(facts)
        if self._plan.facts and self._plan.facts.commit != pinned.commit:
            pulumi.log.info(
                f"{self._settings.model_revision} of {pinned.model} has moved: this stack stays at "
                f"{pinned.commit[:12]} until model or modelRevision is changed"
            )

    def _filesystem(self, name: str, own: pulumi.ResourceOptions) -> Filesystem | None:
        kept = self._settings.filesystem
        if kept is None:
            return None
        args = {"name": kept.name, "region": self._settings.regions[0], "retain": kept.retain}
        return Filesystem(f"{name}-filesystem", args, own)  # type: ignore[arg-type]

    def _machine(self, name: str, pin: ModelPin, filesystem: Filesystem | None) -> GpuMachine:
        settings, plan = self._settings, self._plan
        family, image_id = settings.image
        allowed = AccessArgs(self.name, settings.regions, settings.ssh_port, settings.port, settings.allowed_cidrs)
        machine = GpuMachine(
            f"{name}-machine",
            GpuMachineArgs(
                name=self.name,
                access=Access(name, allowed, self),
                instance_types=pin.facts.apply(lambda facts: plan.types_for(ModelFacts.from_json(facts))),
                regions=settings.regions,
                image_family=family,
                image_id=image_id,
                tags=settings.tags,
                max_price_cents_per_hour=settings.max_price_cents_per_hour,
                capacity_timeout_seconds=settings.capacity_timeout_minutes * 60,
                boot_timeout_seconds=settings.boot_timeout_minutes * 60,
                # By the name that is known in a preview, so that the preview knows what it replaces.
                filesystem_names=[settings.filesystem.name] if settings.filesystem else [],
                launch_after=[filesystem] if filesystem else [],
                obstacles=plan.warnings,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        machine.instance.id.apply(self._tell_of_the_machine, run_with_unknowns=True)
        return machine

    def _tell_of_the_machine(self, instance_id: object) -> None:
        """The id is not known in a preview of a launch. In an update it is known once the machine is there, and what is
        told then holds for one that was there before: a launch that anything speaks against has been refused."""
        is_launched = pulumi.contains_unknowns(instance_id)
        for line in lines_of_a_launch(self._plan) if is_launched else lines_beside_a_machine(self._plan):
            pulumi.log.info(line)

    def _certificate(self, name: str) -> ServerCertificate | None:
        if not self._has_tls:
            return None
        return ServerCertificate(
            f"{name}-certificate",
            {
                "ip": self.machine.ip,
                "ca_certificate": self.authority.certificate,
                "ca_private_key": pulumi.Output.secret(self.authority.private_key),
            },
            pulumi.ResourceOptions(parent=self.machine),
        )

    def _stack_args(self, certificate: ServerCertificate | None, filesystem: Filesystem | None) -> VllmStackArgs:
        settings = self._settings
        return VllmStackArgs(
            settings.installation,
            cache=filesystem.mount_point.apply(lambda folder: f"{folder}/lambda-vllm") if filesystem else None,
            port=settings.port,
            certificate=certificate.pem if certificate else "",
        )

    def _server(self, name: str, pin: ModelPin, stack: VllmStack) -> ModelServer:
        settings, sent = self._settings, self._plan.sent
        known = pulumi.Output.all(pin.facts, self.machine.instance.instance_type)
        args = ModelServerArgs(
            settings.served_model,
            settings.serving,
            settings.endpoint,
            facts=pin.facts,
            decision=known.apply(lambda both: self._decide(*both)),
            api_key=self.api_key,
            vllm_args=sent.flags,
            vllm_files=sent.files,
            drains=drains(settings),
        )
        asked: pulumi.Output[Any] = pulumi.Output.all(pin.facts, self.api_key).apply(
            lambda both: [*both, *self._asked_of_the_server()]
        )
        mark = ChangeMarker(f"{name}-serve-change", asked, pulumi.ResourceOptions(parent=self))
        return ModelServer(name, self.machine.host, stack, args, mark.revision)

    def _asked_of_the_server(self) -> Sequence[Any]:
        """All that is asked of the server, besides what is known only later."""
        settings, sent = self._settings, self._plan.sent
        # Who may reach it changes nothing of the server.
        groups = [settings.served_model, settings.serving, settings.endpoint, settings.installation]
        words = [group.model_dump(mode="json", exclude={"allowed_cidrs", "hf_token"}) for group in groups]
        return [work_key("service"), sent.flags, dict(sent.files), *words]

    def _decide(self, facts: str, instance_type: str) -> Decision:
        """Of the commit that is pinned, which may be older than what preflight found."""
        try:
            return self._plan.decide(ModelFacts.from_json(facts), instance_type)
        except UnfitError as error:
            raise pulumi.RunError(str(error)) from None

    def _checked(self, name: str, certificate: ServerCertificate | None, own: pulumi.ResourceOptions) -> EndpointCheck:
        settings, machine = self._settings, self.machine
        serial = certificate.serial if certificate else pulumi.Output.from_input("")
        return EndpointCheck(
            f"{name}-check",
            {
                "ip": machine.ip,
                "port": settings.port,
                "model": settings.model,
                "api_key": self.api_key,
                "ca_certificate": self._ca_certificate if certificate else "",
                "allowed_cidrs": settings.allowed_cidrs,
                "ssh_port": settings.ssh_port,
                "private_key": pulumi.Output.secret(machine.access.key.private_key),
                "public_host_key": machine.host_key.public_key,
                "served": pulumi.Output.format("{0} {1}", self.server.setting_key, serial),
            },
            pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=[self.server.served])),
        )


def name_in_account(project: str, stack: str, name: str) -> str:
    """What is made for an endpoint is called so. Where that is too long, the end of it is what tells two apart."""
    room = max(0, LONGEST_NAME - len(name) - 1)
    return f"{f'{project}-{stack}'[:room]}-{name}".lstrip("-")[:LONGEST_NAME]
