"""Ending a machine for good: ask, then watch until the cloud agrees."""

from typing import TYPE_CHECKING

from components.dynamic.clock import Patience, wait_until
from components.lambda_cloud.api.errors import TRANSIENT, ApiError, CloudError, NotFoundError
from components.lambda_cloud.api.models import GONE, InstanceStatus

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient

TERMINATE_TIMEOUT_IN_POLLS = 180.0
"""15 minutes at Lambda's pace."""
ASK_AGAIN_AFTER_POLLS = 6.0
"""A machine that is still not `terminating` half a minute after it was asked to end is asked again."""


class NotTerminatedError(CloudError):
    """The cloud still has the machine after it was asked to end it."""


def terminate_instance(client: "LambdaClient", instance_id: str, timeout_s: float | None = None) -> bool:
    """Terminate, and wait until the instance is `terminated` or unknown; `NotTerminatedError` when that does not come.

    False when the cloud did not know it: it is over for long, or too new to be seen. A shutdown inside the machine
    would not stop billing, only this does (Lambda's documentation).
    """
    poll = client.limits.poll_interval
    timeout_s = TERMINATE_TIMEOUT_IN_POLLS * poll if timeout_s is None else timeout_s
    clock = client.clock
    is_known, asked_at = False, float("-inf")
    status: str | None = None

    def was_known() -> bool | None:
        """Whether the machine, which is over, was known; None while it is not over."""
        nonlocal is_known, asked_at, status
        try:
            # The first request comes before any look: a machine that is too new to be seen is no less there.
            if status != InstanceStatus.TERMINATING and clock.monotonic() - asked_at > ASK_AGAIN_AFTER_POLLS * poll:
                # Known once is known: when it is asked again it may be over, and be unknown by that.
                is_known = _ask_for_the_end(client, instance_id) or is_known
                asked_at = clock.monotonic()
            # One list serves all that are being ended; it only has to be newer than the request.
            instance = client.instance(instance_id, since=max(asked_at, clock.monotonic() - poll))
        except TRANSIENT:
            # Whether the end was understood shows at the next look; asking twice does no harm.
            return None
        if instance is None:
            return is_known
        status = instance.status
        return True if status in GONE else None

    found = wait_until(was_known, Patience(clock, timeout_s), client.pause)
    if found is None:
        raise NotTerminatedError(
            f"instance {instance_id} may still be billing: Lambda did not confirm its end within {timeout_s:.0f} s;"
            " run `pulumi destroy` again, or terminate it in Lambda's console"
        )
    return found


def _ask_for_the_end(client: "LambdaClient", instance_id: str) -> bool:
    """Whether the cloud knows the machine."""
    try:
        client.terminate(instance_id)
    except NotFoundError:
        return False
    except ApiError as error:
        # What the API of 2024 said of a machine that was being terminated already.
        if error.code != "global/unknown":
            raise
    return True
