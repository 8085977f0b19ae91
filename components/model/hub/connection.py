"""Questions to a hub from several threads at once: about a model, for small documents, for the start of large files.

huggingface_hub has calls for all of it as well, which were tried (2.4.0) and keep less than is promised here:
- `model_info` is one GET, and its module takes longer to load than the hub to answer (`library`).
- `list_repo_tree` waits without an end for a silent hub, 23 s for one that answers 503, and 280 s for one that limits
  requests for 55 s. What `model_info` asks for lists the files too, and is asked once.
- `parse_safetensors_file_metadata` takes a whole file in when a proxy drops the range, 1 GiB of memory for 512 MiB; it
  does not tell that a file is cut off, and ends in an `AttributeError` on a header that is no object.
- `hf_hub_download` and `get_safetensors_metadata` write to the cache of the user's computer.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from components.dynamic.clock import Clock
from components.model.hub.checkpoint import RepositoryFile
from components.model.hub.errors import (
    Asked,
    HubRateLimitError,
    HubUnreachableError,
    NoSuchFileError,
    refusal,
    unreachable,
)
from components.text.user_agent import USER_AGENT

if TYPE_CHECKING:
    import httpx2

RETRY_PAUSES_S = (0.3, 1.0)
"""Before a request is sent again after a lost connection or a 5xx; reads may be sent again at any time."""
LARGEST_DOCUMENT = 64 * 2**20
"""Bytes; the index of a model of a trillion parameters has about 20 MiB."""
CHUNK = 64 * 2**10

Result = TypeVar("Result")


@dataclass(frozen=True)
class ModelInfo:
    """A repository at a revision, as the hub describes it."""

    id: str
    """As the hub spells it now."""
    commit: str
    files: tuple[RepositoryFile, ...]


@dataclass(frozen=True)
class HubConnection:
    """One model on one hub, asked by any thread."""

    asked: Asked
    token: str
    """May be empty."""
    clock: Clock
    """By which it pauses before it asks again."""

    def info(self) -> ModelInfo:
        """What the hub says of the model at the revision, its list of files included."""
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # documented there

        def once() -> ModelInfo:
            # The library refuses names that no repository can have before it asks.
            validate_repo_id(self.asked.model)
            url = f"{self.asked.hub}/api/models/{self.asked.model}/revision/{quote(self.asked.revision, safe='')}"
            return _info(self._get(f"{url}?blobs=true", {}, self._document))

        return self._answer(once)

    def json_file(self, commit: str, path: str) -> Any:
        """A JSON file of the repository; `None` when the commit does not have it."""
        try:
            return self._fetch(commit, path, {}, self._document)
        except NoSuchFileError:
            return None

    def part_of_file(self, commit: str, path: str, start: int, count: int) -> bytes:
        """`count` bytes from the byte `start` on, or as many as there are.

        A server that sends the whole file all the same is cut off once it has sent these.
        """

        def read(answer: "httpx2.Response") -> bytes:
            skip = 0 if answer.status_code == HTTPStatus.PARTIAL_CONTENT else start
            return _read(answer, skip + count)[skip : skip + count]

        headers = {"Range": f"bytes={start}-{start + count - 1}", "Accept-Encoding": "identity"}
        return self._fetch(commit, path, headers, read)

    def _fetch(
        self, commit: str, path: str, headers: Mapping[str, str], read: Callable[["httpx2.Response"], Result]
    ) -> Result:
        url = f"{self.asked.hub}/{quote(self.asked.model)}/resolve/{commit}/{quote(path)}"
        return self._answer(lambda: self._get(url, headers, read))

    def _get(self, url: str, headers: Mapping[str, str], read: Callable[["httpx2.Response"], Result]) -> Result:
        from huggingface_hub import get_session, hf_raise_for_status

        # On a redirect to another host, such as a CDN, the client takes the token off again.
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent = {"User-Agent": USER_AGENT, **token, **headers}
        with get_session().stream("GET", url, headers=sent) as answer:
            hf_raise_for_status(answer)
            return read(answer)

    def _answer(self, ask: Callable[[], Result]) -> Result:
        for pause in RETRY_PAUSES_S:
            try:
                return self._answer_once(ask)
            except HubRateLimitError:
                raise
            except HubUnreachableError:
                self.clock.sleep(pause)
        return self._answer_once(ask)

    def _answer_once(self, ask: Callable[[], Result]) -> Result:
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            return ask()
        except HfHubHTTPError as error:
            raise refusal(self.asked, error) from None
        except UnicodeDecodeError:
            raise self.asked.not_a_hub() from None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            # A host name that cannot be one is a UnicodeError.
            raise unreachable(self.asked, error) from None
        except HFValidationError:
            raise self.asked.missing() from None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # The library stumbles over a refusal whose JSON is no object, and over an info that is none.
            if isinstance(refused := error.__context__, httpx2.HTTPStatusError):
                raise refusal(self.asked, refused) from None
            raise self.asked.not_a_hub() from None

    def _document(self, answer: "httpx2.Response") -> Any:
        text = _read(answer, LARGEST_DOCUMENT + 1)
        if len(text) > LARGEST_DOCUMENT:
            raise self.asked.not_a_hub()
        return json.loads(text)


def _info(plain: Any) -> ModelInfo:
    """Out of the hub's JSON; raises what comes of another form."""
    files = [_file(one) for one in plain.get("siblings") or ()]
    return ModelInfo(str(plain["id"]), str(plain["sha"]), tuple(files))


def _file(plain: Any) -> RepositoryFile:
    lfs, size = plain.get("lfs"), plain["size"]
    if not isinstance(size, int):
        raise TypeError("a size that is no number")
    return RepositoryFile(str(plain["rfilename"]), size, lfs["sha256"] if lfs else None)


def _read(answer: "httpx2.Response", count: int) -> bytes:
    """The first `count` bytes of the body; what comes after them is not waited for."""
    body = bytearray()
    for chunk in answer.iter_bytes(CHUNK):
        body += chunk
        if len(body) >= count:
            break
    return bytes(body[:count])
