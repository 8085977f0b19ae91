"""A list of the cloud that many ask for at the same time, and that is fetched once for all of them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from components.dynamic.clock import Clock

Item = TypeVar("Item")

ANY = float("-inf")
"""As `since`: however old, so long as this process has fetched it."""


class SharedList(Generic[Item]):
    """What `fetch` gave last, for whoever can do with it."""

    def __init__(self, fetch: Callable[[], Item], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._value: Item | None = None
        self._asked_at = ANY

    def get(self, since: float | None = None) -> Item:
        """A list asked for at `since` (monotonic seconds) or later; None: now or later.

        Whoever comes while it is being fetched waits for that answer, and asks again only if it is too old for it.
        """
        wanted = self._clock.monotonic() if since is None else since
        with self._lock:
            if self._value is None or self._asked_at < wanted:
                asked_at = self._clock.monotonic()
                self._value = self._fetch()
                self._asked_at = asked_at
            return self._value

    @contextmanager
    def shrinks(self) -> Iterator[None]:
        """Something of it is being deleted: no list from before will do after that, not even for `ANY`."""
        try:
            yield
        finally:
            # Also after an error: the deletion may have been carried out.
            with self._lock:
                self._value = None
