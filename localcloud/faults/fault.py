"""A fault as it is asked for and as it is shown."""

from random import Random

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from localcloud.faults.kinds import kind_for
from localcloud.faults.operations import ANY_MACHINE, HUB, SSH


class Fault(BaseModel):
    """The next calls of `operation` suffer a fault of a kind; what is None is filled in, or does not fit the kind."""

    model_config = ConfigDict(extra="forbid")

    operation: str
    kind: str
    times: int | None = Field(default=None, ge=1)
    """How many more calls it strikes; None, which only a probability may have, for no end."""
    probability: float | None = Field(default=None, gt=0, le=1)
    """With which it strikes a call; None for certainty."""
    seed: int | None = None
    """Of the draws; two faults of the same seed strike the same calls."""
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    after_bytes: int | None = Field(default=None, ge=0)
    instance: str | None = None
    """Strike only what this machine does, or `any` machine; None for everybody. For machines and the hub."""
    _random: Random = PrivateAttr(default_factory=Random)

    def complete(self) -> None:
        """Fill in what was left open.

        Raises:
            ValueError: one line: something that does not fit.
        """
        kind = kind_for(self.operation, self.kind)
        if self.seconds is not None and kind.seconds is None:
            raise ValueError(f"seconds: kind '{self.kind}' takes none")
        if self.after_bytes is not None and not kind.takes_bytes:
            raise ValueError(f"after_bytes: kind '{self.kind}' takes none")
        if self.instance is not None and self.operation not in SSH | HUB:
            raise ValueError(f"instance: only {', '.join(sorted(SSH | HUB))} can be told apart by machine")
        if self.seed is not None and self.probability is None:
            raise ValueError("seed: only with a probability")
        if self.seconds is None and self.after_bytes is None:
            self.seconds = kind.seconds
        if self.probability is None:
            self.times = self.times or 1
        else:
            self.seed = self.seed or 0
            self._random.seed(self.seed)

    def is_for(self, instance: str | None) -> bool:
        """Whether it may strike something that this machine does, or, when None, somebody else."""
        return self.instance is None or (instance is not None and self.instance in (instance, ANY_MACHINE))

    def comes_up(self) -> bool:
        """Draw: whether it strikes the call that it is offered."""
        return self.probability is None or self._random.random() < self.probability

    def use_up(self) -> bool:
        """Count a strike; whether it was the last."""
        if self.times is not None:
            self.times -= 1
        return self.times == 0
