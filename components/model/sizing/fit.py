"""Whether a model fits a machine, how much of it in the host's memory, for how long a context, and how fast at best.

`docs/sizing.md` tells how the numbers come about.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil

from components.model.sizing.demands import obstacle, part_of_one_copy, tensor_parallel_size
from components.model.sizing.gpus import MachineSize
from components.model.sizing.kv_cache import KvCache, kv_bytes_per_token
from components.model.sizing.memory import (
    GIB,
    default_batch,
    graphs_gib,
    kept_gib,
    non_torch_gib,
    peak_activation_gib,
)
from components.model.sizing.model_shape import ModelShape
from components.model.sizing.offload import (
    NOTHING,
    USABLE_HOST_SHARE,
    Offloaded,
    fits_host,
    most_offload_gib,
    offloaded,
)
from components.model.sizing.serve_options import ServeOptions
from components.model.sizing.speed import Speed, speed
from components.model.sizing.variants import smaller_variants
from components.text.counted import counted

__all__ = ["Fit", "ServeOptions", "fit", "fit_within", "fits_by_type", "kv_bytes_per_token", "suggestions"]

TARGET_CONTEXT = 16384
"""Tokens for which weights are offloaded when no context is asked for."""
LEAST_CONTEXT = 2048
"""Tokens below which a model is said not to fit when no context is asked for."""
OFFLOAD_SLACK_GIB = 2.0
"""Offloaded beyond what the context needs, for what differs from one version of vLLM to the next."""

UNPINNED = "VLLM_WEIGHT_OFFLOADING_DISABLE_PIN_MEMORY"
"""vLLM's variable that keeps offloaded weights in memory that is not pinned."""


@dataclass(frozen=True)
class Fit:
    """What is to be expected of a model on a machine. GiB are for each GPU unless said."""

    fits: bool
    reason: str
    """One line that says in numbers why it does not fit and what would; empty when it fits."""
    weights_gib: float
    """On the GPU, after offload."""
    cpu_offload_gib: float
    """To set as `--cpu-offload-gb`; 0 is none."""
    host_memory_gib: float
    """Pinned on the host by all GPUs together, each parameter rounded up to a power of two."""
    kv_gib: float
    kv_tokens: int
    """Of all sequences together, as vLLM prints them."""
    max_model_len: int
    """Tokens of the longest sequence that one user can have, up to the model's own limit."""
    tensor_parallel_size: int
    peak_activation_gib: float
    tokens_per_second: float
    """Of one stream while it decodes, at most, as no link and no memory carries more; 0 when it does not fit."""
    formula: str
    """Where that bound comes from, with its numbers."""


def fit(shape: ModelShape, machine: MachineSize, wish: ServeOptions) -> Fit:
    """Size the model for the machine by vLLM's own memory rule; of several copies, one for its part of the machine."""
    return _fit_part(shape, part_of_one_copy(machine, wish), wish)


def _fit_part(shape: ModelShape, machine: MachineSize, wish: ServeOptions) -> Fit:
    if reason := obstacle(shape, machine, wish):
        return _refused(reason)
    tensor_parallel = tensor_parallel_size(shape, machine.gpus, wish)
    batch = wish.batch(default_batch(machine.gpu))
    peak = peak_activation_gib(shape, machine.gpu, batch, tensor_parallel, wish.runner)
    stays = kept_gib(shape, batch, wish.runner) + non_torch_gib(tensor_parallel)
    graphs = 0.0 if wish.enforce_eager else graphs_gib(shape, wish.runner)
    return replace(fit_within(shape, machine, wish, peak + stays + graphs), peak_activation_gib=peak)


def fit_within(
    shape: ModelShape,
    machine: MachineSize,
    wish: ServeOptions,
    overhead_gib: float,
    slack_gib: float = OFFLOAD_SLACK_GIB,
) -> Fit:
    """The same for a known overhead: all that a GPU needs but weights and cache. `peak_activation_gib` stays 0."""
    if reason := obstacle(shape, machine, wish):
        return _refused(reason)
    return _Room(shape, machine, wish, overhead_gib, slack_gib).fit()


def fits_by_type(
    shape: ModelShape, machines: Iterable[MachineSize], wish: ServeOptions
) -> list[tuple[MachineSize, Fit]]:
    """The fit on each machine, in their order."""
    return [(machine, fit(shape, machine, wish)) for machine in machines]


def suggestions(shape: ModelShape, machines: Iterable[MachineSize], wish: ServeOptions) -> tuple[str, ...]:
    """What would fit: this checkpoint and smaller ones, each on the first machine of the list that takes it.

    The caller puts the machines in order of price. What the wish says of one machine, its offload and tensor parallel
    size, does not hold for the others. A machine without offload is named too when the first needs it.
    """
    free = replace(wish, cpu_offload_gib=None, tensor_parallel_size=None, data_parallel_size=1)
    sizes = list(machines)
    found: list[str] = []
    for name, variant in [("this checkpoint", shape), *((str(v), v.shape) for v in smaller_variants(shape))]:
        fitting = [(machine, result) for machine, result in fits_by_type(variant, sizes, free) if result.fits]
        resident = [(machine, result) for machine, result in fitting if not result.cpu_offload_gib]
        for machine, result in dict.fromkeys([*fitting[:1], *resident[:1]]):
            how = f" with cpuOffloadGb {result.cpu_offload_gib:g}" if result.cpu_offload_gib else ""
            found.append(f"{name} on {machine.name}{how}: context up to {counted(result.max_model_len, 'token')}")
    return tuple(found)


def _refused(reason: str) -> Fit:
    return Fit(False, reason, 0.0, 0.0, 0.0, 0.0, 0, 0, 1, 0.0, 0.0, "")


@dataclass(frozen=True)
class _Room:
    """A model, a machine and a wish that nothing but memory can spoil."""

    shape: ModelShape
    machine: MachineSize
    wish: ServeOptions
    overhead_gib: float
    slack_gib: float

    @property
    def tensor_parallel(self) -> int:
        return tensor_parallel_size(self.shape, self.machine.gpus, self.wish)

    @property
    def budget_gib(self) -> float:
        return self.wish.gpu_memory_utilization * self.machine.gpu.memory_gib

    @property
    def weights_gib(self) -> float:
        """Of one GPU, before offload, with the table of positions that each holds whole."""
        positions = 2 * (self.shape.position_rows or self.shape.max_context) * self.shape.rotary_dim
        return (self.shape.weights_bytes / self.tensor_parallel + positions) / GIB

    @property
    def cache(self) -> KvCache:
        tokens = self.wish.batch(default_batch(self.machine.gpu)).tokens
        dtype = self.shape.cache_dtype if self.wish.kv_cache_dtype == "auto" else self.wish.kv_cache_dtype
        asked = self.wish.max_model_len
        most = None if asked is None else max(asked, self.shape.max_context)
        return KvCache(self.shape, dtype, self.tensor_parallel, tokens, most)

    def needs_context(self, default: int) -> int:
        """Tokens that one sequence must have."""
        return self.wish.max_model_len or min(default, self.shape.served_context)

    def missing_gib(self, context: int, offloaded_gib: float = 0.0) -> float:
        """What the GPU has too little for a sequence of this length; below 0 when there is enough."""
        needed = self.weights_gib - offloaded_gib + self.overhead_gib + self.cache.sequence_bytes(context) / GIB
        return needed - self.budget_gib

    def offload_gib(self) -> float:
        """What to set: as wished, or by itself the least that serves the context, where the link is fast."""
        if self.wish.cpu_offload_gib is not None:
            return float(self.wish.cpu_offload_gib)
        missing = self.missing_gib(self.needs_context(TARGET_CONTEXT))
        if missing <= 0 or not self.machine.gpu.has_fast_link:
            return 0.0
        least = ceil(2 * (missing + self.slack_gib)) / 2
        host, pins = self.machine.host_memory_gib, self.wish.pins_offloaded
        return min(least, most_offload_gib(self.shape, host, self.tensor_parallel, pins))

    def fit(self) -> Fit:
        asked = self.offload_gib()
        moved = offloaded(self.shape, asked, self.tensor_parallel, self.wish.pins_offloaded) if asked else NOTHING
        moved_gib = moved.nbytes / GIB
        room = self.budget_gib - self.weights_gib + moved_gib - self.overhead_gib
        longest = self.cache.longest_sequence(room * GIB)
        reason = self._reason(moved, longest)
        bound = Speed(0.0, "") if reason else self._speed(moved)
        return Fit(
            fits=not reason,
            reason=reason,
            weights_gib=self.weights_gib - moved_gib,
            cpu_offload_gib=asked,
            host_memory_gib=self.tensor_parallel * moved.pinned_bytes / GIB,
            kv_gib=max(0.0, room),
            kv_tokens=self.cache.tokens(room * GIB, self.wish.max_model_len or longest),
            max_model_len=longest,
            tensor_parallel_size=self.tensor_parallel,
            peak_activation_gib=0.0,
            tokens_per_second=bound.tokens_per_second,
            formula=bound.formula,
        )

    def _speed(self, moved: Offloaded) -> Speed:
        return speed(self.shape, self.machine.gpu, moved.nbytes, self.tensor_parallel)

    def _reason(self, moved: Offloaded, longest: int) -> str:
        if not fits_host(moved, self.tensor_parallel, self.machine.host_memory_gib):
            rounded = f", or set {UNPINNED}=1 in vllmEnv, which saves the rounding to powers of two"
            return (
                f"cpuOffloadGb takes {self.tensor_parallel * moved.pinned_bytes / GIB:.1f} GiB of the host's memory, "
                f"{USABLE_HOST_SHARE:.0%} of {self.machine.host_memory_gib:g} GiB are free for it: ask for less"
                f"{rounded if self.wish.pins_offloaded else ''}"
            )
        context = self.needs_context(LEAST_CONTEXT)
        if longest >= context:
            return ""
        return f"{self._shortage(moved, context)}: {self._remedies(moved, longest)}"

    def _shortage(self, moved: Offloaded, context: int) -> str:
        count = self.tensor_parallel
        where = f"one {self.machine.gpu.name} has" if count == 1 else f"each of {count} {self.machine.gpu.name} has"
        offload = f" after offloading {moved.nbytes / GIB:.1f} GiB" if moved.nbytes else ""
        if moved.nbytes and self.wish.cpu_offload_gib is None:
            offload += f", the most that the host's {self.machine.host_memory_gib:g} GiB take"
        weights = self.weights_gib - moved.nbytes / GIB
        kv = self.cache.sequence_bytes(context) / GIB
        return (
            f"needs {weights:.1f} GiB for the weights{offload}, {self.overhead_gib:.1f} GiB to run and {kv:.1f} GiB "
            f"for a context of {counted(context, 'token')}; {where} {self.budget_gib:.1f} GiB for all that"
        )

    def _remedies(self, moved: Offloaded, longest: int) -> str:
        """What would fit this very machine."""
        found = [str(v) for v in smaller_variants(self.shape) if self._other(v.shape, self.wish)]
        if self.wish.cpu_offload_gib is not None and self._other(self.shape, replace(self.wish, cpu_offload_gib=None)):
            found.append("cpuOffloadGb auto")
        if self.wish.kv_cache_dtype == "auto" and self._other(self.shape, replace(self.wish, kv_cache_dtype="fp8")):
            found.append("kv-cache-dtype fp8")
        if self.wish.pins_offloaded and self._other(self.shape, replace(self.wish, pins_offloaded=False)):
            found.append(f"{UNPINNED} 1 in vllmEnv")
        if longest >= LEAST_CONTEXT:
            found.append(f"maxModelLen {longest} or less")
        found.append("an instance type with more GPU memory")
        return f"use {', '.join(found[:-1])} or {found[-1]}" if len(found) > 1 else f"use {found[0]}"

    def _other(self, shape: ModelShape, wish: ServeOptions) -> bool:
        """Whether something else would fit; without asking in turn what would if not."""
        other = replace(self, shape=shape, wish=wish)
        if obstacle(shape, self.machine, wish):
            return False
        moved = offloaded(shape, other.offload_gib(), other.tensor_parallel, wish.pins_offloaded)
        on_host = fits_host(moved, other.tensor_parallel, self.machine.host_memory_gib)
        return on_host and other.missing_gib(other.needs_context(LEAST_CONTEXT), moved.nbytes / GIB) <= 0
