"""What can be asked of a Hugging Face hub before a machine is rented: is the model there, and may this token have it?

Status codes and the `X-Error-Code` header are those of huggingface.co as huggingface_hub 2.4 reads them.
"""

from dataclasses import dataclass
from urllib.parse import quote

import requests

from components.cloud.transport import USER_AGENT

TIMEOUT_S = 20.0
# Every repository of weights has it, and it is as gated as the weights are.
PROBE_FILE = "config.json"


class HubError(Exception):
    """The model cannot be had; one line that says why and what to do."""


@dataclass(frozen=True)
class ModelCommit:
    """A model at one commit: what will be served, whatever happens to the branch later."""

    model: str
    commit: str
    """40 hexadecimal digits."""


class Hub:
    """A hub at one URL with one token, which may be empty."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._has_token = bool(token)
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def resolve(self, model: str, revision: str) -> ModelCommit:
        """Find the commit of a branch, tag or commit, and prove that its files can be read; `HubError` otherwise."""
        answer = self._ask("GET", f"/api/models/{model}/revision/{quote(revision, safe='')}", model, revision)
        try:
            commit = str(answer.json()["sha"])
        except (ValueError, KeyError, TypeError):
            raise HubError(f"{self._url} does not answer as a Hugging Face hub does: check hfEndpoint") from None
        self._ask("HEAD", f"/{model}/resolve/{commit}/{PROBE_FILE}", model, revision)
        return ModelCommit(model, commit)

    def _ask(self, method: str, path: str, model: str, revision: str) -> requests.Response:
        try:
            # A renamed repository answers with a redirect to its new name.
            answer = self._session.request(method, self._url + path, timeout=TIMEOUT_S, allow_redirects=True)
        except requests.RequestException as error:
            raise HubError(f"cannot reach the hub at {self._url} ({type(error).__name__}): check hfEndpoint") from None
        if answer.ok:
            return answer
        code = answer.headers.get("X-Error-Code", "")
        text = answer.headers.get("X-Error-Message", "")
        raise HubError(self._advice(answer.status_code, code, text, model, revision))

    def _advice(self, status: int, code: str, text: str, model: str, revision: str) -> str:
        page = f"{self._url}/{model}"
        if code == "GatedRepo" and status == requests.codes.unauthorized:
            return f"model {model} is gated and no token was given: accept its licence at {page}, then set HF_TOKEN"
        if code == "GatedRepo":
            if "awaiting" in text:
                return f"model {model} is gated and its owners have not answered your request yet: see {page}"
            return f"model {model} is gated and your token has no access: accept its licence at {page}"
        if "Invalid credentials" in text or "Invalid user" in text:
            return "the hub refused the token: set HF_TOKEN or hfToken anew"
        if code == "RevisionNotFound":
            return f"model {model} has no revision {revision}: check modelRevision"
        if code == "EntryNotFound":
            return f"model {model} has no {PROBE_FILE}: this program serves repositories in the layout of transformers"
        if code == "RepoNotFound" or status in (requests.codes.unauthorized, requests.codes.not_found):
            seen = "your token cannot see it" if self._has_token else "it is private and no token was given"
            return f"model {model} does not exist on {self._url}, or {seen}: check `model`"
        if status == requests.codes.forbidden:
            return f"the hub forbids {model} to this token: it needs the right to read gated repositories"
        return f"the hub answered {status} for {model}: {text or 'no message'}"
