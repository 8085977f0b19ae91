"""Capacity that comes and goes by itself: a function of a seed and the time, so that it can be played again."""

import math
from random import Random

from localcloud.account.records import DriftRecord
from localcloud.account.store import Store
from localcloud.clock import SYSTEM_CLOCK, Clock

STEP_SECONDS = 60.0
"""How long things stay as they are, at time scale 1; our choice, since Lambda says nothing about it."""
SHORTEST_STEP = 0.1
"""Seconds; at time scale 0 there would be no step."""
TIDE_STEPS = 8
"""In how many steps the tendency changes."""
FLICKER = 0.35
"""How far a single step strays from the tendency, which goes from 0 to 1."""
SCARCE = 0.45
"""Below it there is none."""


class Drift:
    """Off until it has a seed. Seed and beginning are kept, so it goes on where it was after a restart."""

    def __init__(self, store: Store, time_scale: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._store = store
        self._clock = clock
        self._step = max(SHORTEST_STEP, STEP_SECONDS * time_scale)

    @property
    def seed(self) -> int | None:
        """The seed; None when it is off."""
        record = self._store.drift.get(DriftRecord.ID)
        return record.seed if record else None

    @seed.setter
    def seed(self, seed: int | None) -> None:
        """Begin anew with another seed; the same one goes on, and None ends it."""
        if seed is None:
            self._store.drift.delete(DriftRecord.ID)
        elif seed != self.seed:
            self._store.drift.put(DriftRecord(seed=seed, began=self._clock.now()))

    def is_there(self, instance_type: str, region: str, steps_ago: int) -> bool:
        """Whether there is capacity; always, when it is off."""
        record = self._store.drift.get(DriftRecord.ID)
        if record is None:
            return True
        step = int((self._clock.now() - record.began) / self._step) - steps_ago
        return level(record.seed, instance_type, region, max(0, step)) >= SCARCE


def level(seed: int, instance_type: str, region: str, step: int) -> float:
    """How much there is at a step: a tendency that changes slowly, and a flicker about it."""
    place = f"{seed}/{instance_type}/{region}"
    before, within = divmod(step, TIDE_STEPS)
    ebb, flood = (Random(f"{place}/tide/{before + one}").random() for one in (0, 1))  # noqa: S311  # to be repeated
    share = (1 - math.cos(math.pi * within / TIDE_STEPS)) / 2
    flicker = Random(f"{place}/step/{step}").uniform(-FLICKER, FLICKER)  # noqa: S311
    return ebb + (flood - ebb) * share + flicker
