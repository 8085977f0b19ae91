"""Writing exactly once when answers get lost: after trouble, look what became of it before writing again."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from components.dynamic.engine import require_engine
from components.lambda_cloud.api.errors import TRANSIENT, ApiError

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient

ATTEMPTS = 4
LOOKS = 2

Found = TypeVar("Found")


def settle(client: "LambdaClient", what: str, write: Callable[[], Found], look: Callable[[], Found | None]) -> Found:
    """The result of `write`, or what `look` finds of it after its answer was lost.

    It is written again only when looks did not find it, and by nobody whose engine is gone; the last trouble is raised
    after four attempts.
    """
    in_doubt = False
    for attempt in range(1, ATTEMPTS + 1):
        require_engine(what)
        try:
            return write()
        except TRANSIENT:
            in_doubt = True
            found = _look(client, look)
            if found is not None:
                return found
            if attempt == ATTEMPTS:
                raise
        except ApiError:
            # A refusal such as «name must be unique» may be the echo of an earlier attempt that showed late.
            found = _look(client, look) if in_doubt else None
            if found is None:
                raise
            return found
    raise AssertionError("unreachable")


def _look(client: "LambdaClient", look: Callable[[], Found | None]) -> Found | None:
    for _ in range(LOOKS):
        found = look()
        if found is not None:
            return found
        client.pause()
    return None
