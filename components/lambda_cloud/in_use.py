"""Deleting what an instance may still hold."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from components.dynamic.engine import require_engine
from components.lambda_cloud.api.errors import TRANSIENT, CloudError, InUseError, NotFoundError

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient

RELEASE_TIMEOUT_IN_POLLS = 120.0
"""10 minutes at Lambda's pace."""


def delete_when_free(
    client: "LambdaClient", what: str, delete: Callable[[], None], clock: Callable[[], float] = time.monotonic
) -> None:
    """Delete, and ask again while it is in use: an instance that ended seconds ago may hold it for minutes.

    What is gone already is a success. `CloudError` when it is still in use after ten minutes.
    """
    deadline = clock() + RELEASE_TIMEOUT_IN_POLLS * client.limits.poll_interval
    while True:
        require_engine(f"delete {what}")
        try:
            return delete()
        except NotFoundError:
            return None
        except (InUseError, *TRANSIENT) as trouble:
            if clock() > deadline:
                raise CloudError(
                    f"{what} could not be deleted: {str(trouble).rstrip('.')}; run `pulumi destroy` again"
                ) from None
        client.pause()
