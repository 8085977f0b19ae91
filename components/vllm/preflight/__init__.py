"""What can be known before the meter runs: asked in every preview and update, before anything is created."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.api.models import REGIONS_WITHOUT_FIREWALL, Offer
from components.lambda_cloud.instance.candidates import Candidate, Market
from components.model.facts import ModelFacts, facts_of
from components.model.hub.checkpoint import Checkpoint
from components.model.hub.client import Hub, HubError
from components.model.sizing.context import refusal
from components.model.sizing.fit import Fit, fit, suggestions
from components.model.sizing.gpus import MachineSize, machine_size
from components.model.sizing.model_shape import ModelShape
from components.model.sizing.overrides import OverridesError, overridden, overrides_of
from components.settings import Settings
from components.vllm.decision import (
    Decision,
    UnfitError,
    check_flags,
    decide,
    loaded_shape,
    serve_options_of,
    unreckoned,
)
from components.vllm.preflight.market_check import acceptable, check_types, look
from components.vllm.release.architectures import unsupported
from components.vllm.release.flags.files import SentFiles
from components.vllm.release.model_types import unreadable
from components.vllm.release.quantisation import unsupported_quantisation
from components.vllm.sent_files import sent_files
from components.vllm.versions import PINNED_VLLM, check_versions

__all__ = ["Plan", "PreflightError", "TypeFit", "preflight", "survey"]


class PreflightError(Exception):
    """What would fail later; one line for each finding."""


@dataclass(frozen=True)
class TypeFit:
    """An acceptable type, and how the model fits it."""

    instance_type: str
    size: MachineSize | None
    """None without a GPU, or with one that is not known here."""
    fit: Fit | None
    """None when there is no GPU, or the model's shape is unknown: then vLLM finds out."""
    gpus: int = 0
    """Of whatever kind."""

    @property
    def serves(self) -> bool:
        """False when the model is known not to fit."""
        return self.fit is None or self.fit.fits


@dataclass(frozen=True)
class Plan:
    """What is going to be done."""

    settings: Settings
    facts: ModelFacts | None
    """None when today's commit cannot be served. `problem` says why; a model that the state knows is served all the
    same."""
    market: Market
    """As it was asked for this plan."""
    types: tuple[TypeFit, ...]
    """The acceptable types in the order of preference."""
    sent: SentFiles
    """The flags as the machine gets them, with the files of this computer that they name."""
    problem: str = ""
    warnings: tuple[str, ...] = ()
    """What would keep a new machine from being launched, a line each; the one that runs and stays is not touched."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every acceptable type that Lambda has, in every acceptable region, in the order of preference."""
        return self.market.offered(acceptable(self.settings))

    @property
    def instance_types(self) -> list[str]:
        """Types on which today's commit can be served, in the order of preference."""
        known = {one.instance_type for one in self.types}
        return [name for name in self.settings.instance_types if name not in known or self.type_fit(name).serves]

    def types_for(self, facts: ModelFacts) -> list[str]:
        """The same for the commit that is pinned: a branch that moved must not replace the machine that serves it."""
        shape = self._read_now(facts).shape
        known = {one.instance_type: type_fit(one.size, shape, self.settings) for one in self.types}
        fitting = [name for name in self.settings.instance_types if (fitted := known.get(name)) is None or fitted.fits]
        # When none is left, the decision says why, and the machine stays.
        return fitting or self.settings.instance_types

    def decide(self, facts: ModelFacts, instance_type: str) -> Decision:
        """The server's flags on the machine that was launched; `UnfitError` when it cannot serve as wished."""
        wish = serve_options_of(self.settings)
        is_sold = any(one.instance_type == instance_type for one in self.types)
        if not is_sold and (wish.cpu_offload_gib is None or wish.tensor_parallel_size is None):
            raise UnfitError(
                f"Lambda does not list {instance_type} any more, so its memory is not known: set cpuOffloadGb, and "
                "tensor-parallel-size in vllmArgs; the server was not changed"
            )
        pinned = self._read_now(facts).shape
        size = self.type_fit(instance_type).size
        shape = loaded_shape(pinned, self.settings) if pinned else None
        if pinned and shape is None:
            return unreckoned(pinned, size, self.settings)
        return decide(shape, size, wish)

    def _read_now(self, facts: ModelFacts) -> ModelFacts:
        """What was pinned, as this version of the program reads it when the branch has not moved."""
        now = self.facts
        return now if now and now.shape and now.commit == facts.commit else facts

    def type_fit(self, instance_type: str) -> TypeFit:
        """How the model fits a type; nothing is known of a type that is not sold any more."""
        return next((t for t in self.types if t.instance_type == instance_type), TypeFit(instance_type, None, None))

    def is_too_dear(self, candidate: Candidate) -> bool:
        """Whether it costs more than the user wants to pay, so that it is not launched."""
        return self.market.costs_more_than(self.settings.max_price_cents_per_hour, candidate)


def preflight(settings: Settings, client: LambdaClient, hub: Hub) -> Plan:
    """The plan of a launch; `PreflightError` with every finding at once. Nothing is created or changed."""
    plan = survey(settings, client, hub)
    if plan.warnings:
        raise PreflightError("\n".join(plan.warnings))
    return plan


def survey(settings: Settings, client: LambdaClient, hub: Hub) -> Plan:
    """Ask Lambda and the hub; `PreflightError` for what is wrong with or without a machine. Nothing is created.

    What speaks against a launch, a download or today's commit is in `warnings`: a hub that is down, a price that rose
    or a branch that moved must keep nobody from closing the firewall of a running machine. Whether there is one, and
    whether it stays, is not decided here: the state knows, and the comparison of the instance's provider. The model
    that it serves is pinned, and `decide` checks that one.
    """
    sent = sent_files(settings)
    own = [*check_versions(settings), *check_flags(settings), *sent.problems]
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(hub.resolve, settings.model, settings.model_revision)
        try:
            market, of_market = look(settings, client)
        except CloudError as error:
            raise PreflightError("\n".join([*own, str(error), *_hub_problem(asked.exception())])) from None
        of_model = _hub_problem(asked.exception()) or check_checkpoint(settings, asked.result())
    if own:
        raise PreflightError("\n".join([*own, *of_market, *of_model]))
    facts = None if of_model else facts_of(asked.result())
    types = type_fits(settings, facts, market.offers)
    of_model += check_fit(settings, facts, types, market.offers)
    found = [*of_market, *of_model]
    # What is left when the types are left out that are too small.
    found = found or check_types(settings, [one.instance_type for one in types if one.serves], market)
    if of_model:
        facts, types = None, type_fits(settings, None, market.offers)
    return Plan(settings, facts, market, types, sent, "; ".join(of_model), tuple(found))


def _hub_problem(error: BaseException | None) -> list[str]:
    if error is None:
        return []
    if isinstance(error, HubError):
        return [str(error)]
    raise error


def check_checkpoint(settings: Settings, checkpoint: Checkpoint) -> list[str]:
    """A line for what the pinned vLLM cannot load."""
    config = _overridden(checkpoint.config, settings)
    named = config.get("architectures")
    architectures = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    # A repository may bring the code of its architecture, for those who trust it.
    trusts_code = settings.vllm_args.get("trust-remote-code") is True
    brings_code = "auto_map" in checkpoint.config and trusts_code
    found = [None if brings_code else unsupported(architectures)]
    if settings.vllm_version in (None, PINNED_VLLM):
        # Of other releases it is not known which forms they read.
        allowed = settings.vllm_args.get("allow-deprecated-quantization") is True
        found += [unsupported_quantisation(config, allowed), unreadable(config, trusts_code), refusal(config)]
    return [f"model: {line}" for line in found if line]


def _overridden(config: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """As vLLM will have it; overrides that are wrong have a line of their own, from `check_flags`."""
    try:
        return overridden(config, overrides_of(settings.vllm_args))
    except OverridesError:
        return config


def check_fit(
    settings: Settings, facts: ModelFacts | None, types: tuple[TypeFit, ...], offers: Mapping[str, Offer]
) -> list[str]:
    """A line for each type when the model fits none of them, and one with what would."""
    if facts is None or facts.shape is None or not types or any(one.serves for one in types):
        return []
    lines = [f"model: {one.instance_type}: {one.fit.reason}" for one in types if one.fit]
    by_price = sorted(
        (one for one in offers.values() if not is_only_where_no_firewall_is(one)),
        key=lambda offer: offer.instance_type.price_cents_per_hour,
    )
    sold = [size for offer in by_price if (size := machine_size(offer.instance_type))]
    loaded = loaded_shape(facts.shape, settings) or facts.shape
    would_fit = suggestions(loaded, sold, serve_options_of(settings))
    return [*lines, f"model: what would fit: {'; '.join(would_fit)}"] if would_fit else lines


def is_only_where_no_firewall_is(offer: Offer) -> bool:
    """Whether a type has capacity in such regions alone, which this program refuses."""
    regions = {region.name for region in offer.regions_with_capacity_available}
    return bool(regions) and regions <= REGIONS_WITHOUT_FIREWALL


def type_fits(settings: Settings, facts: ModelFacts | None, offers: Mapping[str, Offer]) -> tuple[TypeFit, ...]:
    """How the model fits each acceptable type that is sold."""
    found = []
    for name in settings.instance_types:
        if name not in offers:
            continue
        size = machine_size(offers[name].instance_type)
        fitted = type_fit(size, facts.shape if facts else None, settings)
        found.append(TypeFit(name, size, fitted, offers[name].instance_type.specs.gpus))
    return tuple(found)


def type_fit(size: MachineSize | None, shape: ModelShape | None, settings: Settings) -> Fit | None:
    """How a model fits a machine as the user wants it served; None when one of them is not known."""
    loaded = loaded_shape(shape, settings) if shape else None
    return fit(loaded, size, serve_options_of(settings)) if loaded and size else None
