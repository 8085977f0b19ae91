"""Ending a machine for good: ask, then watch until the cloud agrees."""

import time

from components.cloud.client import LambdaClient
from components.cloud.errors import TRANSIENT, CloudError, NotFoundError
from components.cloud.models import GONE, InstanceStatus

TERMINATE_TIMEOUT_S = 900.0


class NotTerminatedError(CloudError):
    """The cloud still has the machine after it was asked to end it."""


def end_instance(client: LambdaClient, instance_id: str, timeout_s: float = TERMINATE_TIMEOUT_S) -> None:
    """Terminate, and wait until the instance is `terminated` or unknown; `NotTerminatedError` when that does not come.

    A shutdown inside the machine would not stop billing, only this does (Lambda's documentation).
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() <= deadline:
        try:
            status = client.instance(instance_id).status
            if status in GONE:
                return
            if status != InstanceStatus.TERMINATING:
                client.terminate(instance_id)
        except NotFoundError:
            return
        except TRANSIENT:
            # Whether the end was understood shows at the next look; asking twice does no harm.
            pass
        client.pause()
    raise NotTerminatedError(
        f"instance {instance_id} may still be billing: Lambda did not confirm its end within {timeout_s:.0f} s; "
        "run `pulumi destroy` again, or terminate it in Lambda's console"
    )
