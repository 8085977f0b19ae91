"""What Lambda's answers say the time is, which need not be what this computer says."""

from email.utils import formatdate

from aiohttp import web

from localcloud.clock import SYSTEM_CLOCK, Clock
from localcloud.paths import API_PREFIX


class EdgeDate:
    """The date by the cloud's edge; a restart of the local cloud sets it right."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self.ahead_seconds = 0.0
        """Of this computer's clock."""

    async def stamp(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Signal of the application: the `Date` of an answer of the API."""
        if request.path.startswith(API_PREFIX):
            answer.headers["Date"] = formatdate(self._clock.now() + self.ahead_seconds, usegmt=True)
