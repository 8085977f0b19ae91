"""Requests to a hub from several threads at once: whole small documents, and the first bytes of large files."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import requests
from requests.auth import AuthBase
from urllib3.exceptions import LocationParseError

from components.lambda_cloud.api.transport import USER_AGENT
from components.model.hub.errors import (
    Asked,
    HubRateLimitError,
    HubUnreachableError,
    NoSuchFileError,
    refusal,
    unreachable,
)

TIMEOUT_S = (10.0, 20.0)
"""For a connection, and for the next bytes of an answer."""
RETRY_PAUSES_S = (0.3, 1.0)
"""Before a request is sent again after a lost connection or a 5xx; reads may be sent again at any time."""
LARGEST_DOCUMENT = 64 * 2**20
"""Bytes; the index of a model of a trillion parameters has about 20 MiB."""
CHUNK = 64 * 2**10

Result = TypeVar("Result")


class _Bearer(AuthBase):
    """Sends the token, and only it: without an `auth` of ours requests would send what `~/.netrc` has for the host."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            # On a redirect to another host, such as a CDN, requests takes this header off again.
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class HubConnection:
    """One model on one hub, asked by any thread; each has a session of its own, since a session is not for several."""

    def __init__(self, asked: Asked, token: str) -> None:
        self._asked = asked
        self._auth = _Bearer(token)
        self._of_thread = threading.local()
        self._sessions: list[requests.Session] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions:
            session.close()

    def api(self, path: str, query: str = "") -> tuple[Any, requests.Response]:
        """A document of `/api/models/{model}`, and the answer that it came in."""
        url = f"{self._asked.hub}/api/models/{quote(self._asked.model)}{path}" + (f"?{query}" if query else "")
        return self._fetch(url, {}, lambda answer: (self._document(answer), answer))

    def json_file(self, commit: str, path: str) -> Any:
        """A JSON file of the repository; `None` when the commit does not have it."""
        try:
            return self._fetch(self._file(commit, path), {}, self._document)
        except NoSuchFileError:
            return None

    def part_of_file(self, commit: str, path: str, start: int, count: int) -> bytes:
        """`count` bytes from the byte `start` on, or as many as there are.

        A server that sends the whole file all the same is cut off once it has sent these.
        """

        def read(answer: requests.Response) -> bytes:
            skip = 0 if answer.status_code == HTTPStatus.PARTIAL_CONTENT else start
            return _read(answer, skip + count)[skip : skip + count]

        headers = {"Range": f"bytes={start}-{start + count - 1}", "Accept-Encoding": "identity"}
        return self._fetch(self._file(commit, path), headers, read)

    def _file(self, commit: str, path: str) -> str:
        return f"{self._asked.hub}/{quote(self._asked.model)}/resolve/{commit}/{quote(path)}"

    def _fetch(self, url: str, headers: Mapping[str, str], read: Callable[[requests.Response], Result]) -> Result:
        for pause in RETRY_PAUSES_S:
            try:
                return self._fetch_once(url, headers, read)
            except HubRateLimitError:
                raise
            except HubUnreachableError:
                time.sleep(pause)
        return self._fetch_once(url, headers, read)

    def _fetch_once(self, url: str, headers: Mapping[str, str], read: Callable[[requests.Response], Result]) -> Result:
        try:
            # A renamed repository answers with a redirect to its present name.
            with self._session().get(url, headers=headers, timeout=TIMEOUT_S, stream=True) as answer:
                if not answer.ok:
                    raise refusal(self._asked, answer)
                return read(answer)
        except (requests.RequestException, LocationParseError) as error:
            raise unreachable(self._asked, error) from None

    def _document(self, answer: requests.Response) -> Any:
        text = _read(answer, LARGEST_DOCUMENT + 1)
        try:
            if len(text) > LARGEST_DOCUMENT:
                raise ValueError
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self._asked.not_a_hub() from None

    def _session(self) -> requests.Session:
        if not hasattr(self._of_thread, "session"):
            session = requests.Session()
            session.headers["User-Agent"] = USER_AGENT
            session.auth = self._auth
            self._of_thread.session = session
            self._sessions.append(session)
        opened: requests.Session = self._of_thread.session
        return opened


def _read(answer: requests.Response, count: int) -> bytes:
    """The first `count` bytes of the body; what comes after them is not waited for."""
    body = bytearray()
    for chunk in answer.iter_content(CHUNK):
        body += chunk
        if len(body) >= count:
            break
    return bytes(body[:count])
