"""How long an instance takes to come up: drawn from what was seen live at Lambda in 2026, seconds at time scale 1.

Machines with one GPU had an address after 22 to 71 seconds and were active after 113 to 250; those with more take 10 to
15 minutes, as Lambda's documentation says. SSH answered 27 to 62 seconds before an instance was called active.
"""

from random import Random

from localcloud.account.catalogue import INSTANCE_TYPES
from localcloud.account.records import BootTimes

ADDRESS = (22.0, 71.0)
ACTIVE_ONE_GPU = (113.0, 250.0)
ACTIVE_MORE_GPUS = (600.0, 900.0)
SSH_BEFORE_ACTIVE = (27.0, 62.0)

TERMINATED_AFTER = 30.0
FORGOTTEN_AFTER = 180.0
"""After `terminated`. Nobody has measured these two, but what an instance holds can be in use for a minute or so."""


def boot_times(seed: int, instance_type: str, number: int) -> BootTimes:
    """Those of the account's launch of this number: the same for the same seed and type."""
    draw = Random(f"{seed}/{instance_type}/{number}")  # noqa: S311  # to be repeated
    active = draw.uniform(*(ACTIVE_ONE_GPU if INSTANCE_TYPES[instance_type].gpus <= 1 else ACTIVE_MORE_GPUS))
    ssh = active - draw.uniform(*SSH_BEFORE_ACTIVE)
    # SSH needs an address, which also the quickest instance has some seconds before.
    return BootTimes(address=min(draw.uniform(*ADDRESS), ssh - 5.0), ssh=ssh, active=active)
