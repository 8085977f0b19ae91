"""Deleting what an instance may still hold."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from components.dynamic.clock import Patience, wait_until
from components.dynamic.engine import require_engine
from components.lambda_cloud.api.errors import TRANSIENT, CloudError, InUseError, NotFoundError

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient

RELEASE_TIMEOUT_IN_POLLS = 120.0
"""10 minutes at Lambda's pace."""


def delete_when_free(client: "LambdaClient", what: str, delete: Callable[[], None]) -> None:
    """Delete, and ask again while it is in use: an instance that ended seconds ago may hold it for minutes.

    What is gone already is a success. `CloudError` when it is still in use after ten minutes.
    """
    trouble = ""

    def is_gone() -> bool | None:
        nonlocal trouble
        require_engine(f"delete {what}")
        try:
            delete()
        except NotFoundError:
            pass
        except (InUseError, *TRANSIENT) as error:
            trouble = str(error).rstrip(".")
            return None
        return True

    patience = Patience(client.clock, RELEASE_TIMEOUT_IN_POLLS * client.limits.poll_interval)
    if not wait_until(is_gone, patience, client.pause):
        raise CloudError(f"{what} could not be deleted: {trouble}; run `pulumi destroy` again")
