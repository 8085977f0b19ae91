"""What can be known before the meter runs: asked in every preview and update, before anything is created."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from components.cloud.client import LambdaClient
from components.cloud.errors import CloudError
from components.cloud.models import Offer
from components.settings import Settings
from components.vllm.decision import check_flags, wish_of
from components.vllm.hub.architectures import quantisation, unsupported, unsupported_quantisation
from components.vllm.hub.checkpoint import Checkpoint
from components.vllm.hub.client import Hub, HubError
from components.vllm.model_facts import ModelFacts, facts_of
from components.vllm.preflight.candidates import Candidate, candidates, look
from components.vllm.sizing.fit import Fit, fit, suggestions
from components.vllm.sizing.gpus import MachineSize, machine_size
from components.vllm.versions import check_versions

__all__ = ["Plan", "PreflightError", "TypeFit", "preflight"]


class PreflightError(Exception):
    """What would fail later; one line for each finding."""


@dataclass(frozen=True)
class TypeFit:
    """An acceptable type, and how the model fits it."""

    instance_type: str
    size: MachineSize | None
    """None without a GPU."""
    fit: Fit | None
    """None when there is no GPU, or the model's shape is unknown: then vLLM finds out."""

    @property
    def serves(self) -> bool:
        """False when the model is known not to fit."""
        return self.fit is None or self.fit.fits


@dataclass(frozen=True)
class Plan:
    """What is going to be done."""

    settings: Settings
    facts: ModelFacts | None
    """None when the hub could not say; `problem` says why, and what a model that the state knows does not need."""
    candidates: tuple[Candidate, ...]
    types: tuple[TypeFit, ...]
    """The acceptable types in the order of preference."""
    problem: str = ""
    warnings: tuple[str, ...] = ()
    """What would keep a new machine from being launched, and does not touch the one that runs."""

    @property
    def instance_types(self) -> list[str]:
        """Types on which the model can be served, in the order of preference."""
        known = {one.instance_type for one in self.types}
        return [name for name in self.settings.instance_types if name not in known or self.type_fit(name).serves]

    def type_fit(self, instance_type: str) -> TypeFit:
        """How the model fits a type; nothing is known of a type that is not sold any more."""
        return next((t for t in self.types if t.instance_type == instance_type), TypeFit(instance_type, None, None))


def preflight(settings: Settings, client: LambdaClient, hub: Hub, machine_name: str = "") -> Plan:
    """Ask Lambda and the hub; `PreflightError` with every finding at once. Nothing is created or changed.

    Where a machine named `machine_name` runs already, what speaks against a launch or a download is a warning: a hub
    that is down or a price that rose must keep nobody from closing the firewall of a running machine.
    """
    own = [*check_versions(settings), *check_flags(settings)]
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(hub.resolve, settings.model, settings.model_revision)
        try:
            market = look(settings, client)
        except CloudError as error:
            raise PreflightError("\n".join([*own, str(error), *_hub_problem(asked.exception())])) from None
        hub_problems = _hub_problem(asked.exception())
    passing = [*market.problems, *hub_problems]
    if passing and not (machine_name and is_running(client, machine_name)):
        raise PreflightError("\n".join([*own, *passing]))
    checkpoint = None if hub_problems else asked.result()
    facts = facts_of(checkpoint) if checkpoint else None
    if checkpoint:
        own += check_checkpoint(settings, checkpoint)
    if own:
        raise PreflightError("\n".join(own))
    types = type_fits(settings, facts, market.offers)
    if unfit := check_fit(settings, facts, types, market.offers):
        raise PreflightError("\n".join(unfit))
    return Plan(settings, facts, candidates(settings, market.offers), types, "".join(hub_problems[:1]), tuple(passing))


def _hub_problem(error: BaseException | None) -> list[str]:
    if error is None:
        return []
    if isinstance(error, HubError):
        return [str(error)]
    raise error


def is_running(client: LambdaClient, machine_name: str) -> bool:
    """Whether the account has a machine of this name. Only for what would stop an update; nothing is launched on it."""
    try:
        return any(one.name == machine_name and not one.is_over for one in client.instances())
    except CloudError:
        return False


def check_checkpoint(settings: Settings, checkpoint: Checkpoint) -> list[str]:
    """A line for what the pinned vLLM cannot load."""
    architectures = checkpoint.config.get("architectures") or []
    # A repository may bring the code of its architecture, for those who trust it.
    brings_code = "auto_map" in checkpoint.config and settings.vllm_args.get("trust-remote-code") is True
    allowed = settings.vllm_args.get("allow-deprecated-quantization") is True
    found = [
        None if brings_code else unsupported(architectures),
        None if allowed else unsupported_quantisation(quantisation(checkpoint)),
    ]
    return [f"model: {line}" for line in found if line]


def check_fit(
    settings: Settings, facts: ModelFacts | None, types: tuple[TypeFit, ...], offers: Mapping[str, Offer]
) -> list[str]:
    """A line for each type when the model fits none of them, and one with what would."""
    if facts is None or facts.shape is None or not types or any(one.serves for one in types):
        return []
    lines = [f"model: {one.instance_type}: {one.fit.reason}" for one in types if one.fit]
    by_price = sorted(offers.values(), key=lambda offer: offer.instance_type.price_cents_per_hour)
    sold = [size for offer in by_price if (size := machine_size(offer.instance_type))]
    would_fit = suggestions(facts.shape, sold, wish_of(settings))
    return [*lines, f"model: what would fit: {'; '.join(would_fit)}"] if would_fit else lines


def type_fits(settings: Settings, facts: ModelFacts | None, offers: Mapping[str, Offer]) -> tuple[TypeFit, ...]:
    """How the model fits each acceptable type that is sold."""
    found = []
    for name in settings.instance_types:
        if name not in offers:
            continue
        size = machine_size(offers[name].instance_type)
        shape = facts.shape if facts else None
        found.append(TypeFit(name, size, fit(shape, size, wish_of(settings)) if shape and size else None))
    return tuple(found)
