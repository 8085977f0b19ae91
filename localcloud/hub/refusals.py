"""The hub's refusals. Its clients tell them apart by two headers, not by the status: `X-Error-Code` and
`X-Error-Message` (huggingface_hub 2.4, `hf_raise_for_status`).
"""

from collections.abc import Awaitable, Callable
from functools import wraps

from aiohttp import web

from localcloud.hub.catalog import ModelSpec

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HubRefusalError(Exception):
    """A request that the hub turns down.

    Attributes:
        status: HTTP status.
        code: value of `X-Error-Code`; `None` where huggingface.co sends none.
        message: one line, sent in `X-Error-Message` and in the body.
        commit: the revision that was looked at, when the request got that far.
    """

    def __init__(self, status: int, code: str | None, message: str, commit: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.commit = commit

    def response(self, as_json: bool) -> web.Response:
        """The refusal on the wire: JSON under `/api/`, the bare message for a file."""
        headers = {"X-Error-Message": self.message}
        if self.code:
            headers["X-Error-Code"] = self.code
        if self.commit:
            headers["X-Repo-Commit"] = self.commit
        if self.status == web.HTTPUnauthorized.status_code:
            headers["WWW-Authenticate"] = 'Bearer realm="Authentication required", charset="UTF-8"'
        if as_json:
            return web.json_response({"error": self.message}, status=self.status, headers=headers)
        return web.Response(text=self.message, status=self.status, headers=headers)


def invalid_token() -> HubRefusalError:
    """A token that was never given out; refused even where none is needed."""
    return HubRefusalError(401, None, "Invalid credentials in Authorization header")


def not_logged_in() -> HubRefusalError:
    """No token where one is needed."""
    return HubRefusalError(401, None, "Invalid username or password.")


def repository_not_found_without_token() -> HubRefusalError:
    """A missing repository, which the hub does not tell from a private one to somebody without a token.

    huggingface.co sends no code here: over https its client knows what the bare 401 means (huggingface_hub 2.4,
    `REPO_API_REGEX`). Over plain http the same exception takes the code.
    """
    return HubRefusalError(401, "RepoNotFound", "Invalid username or password.")


def repository_not_found() -> HubRefusalError:
    """A missing repository, said plainly to somebody with a token."""
    return HubRefusalError(404, "RepoNotFound", "Repository not found")


def gated_without_token(model: ModelSpec) -> HubRefusalError:
    """A gated repository asked for without a token."""
    return HubRefusalError(
        401,
        "GatedRepo",
        f"Access to model {model.name} is restricted. "
        "You must have access to it and be authenticated to access it. Please log in.",
    )


def gated_without_licence(model: ModelSpec) -> HubRefusalError:
    """A gated repository asked for by somebody who has not accepted its licence."""
    return HubRefusalError(
        403,
        "GatedRepo",
        f"Access to model {model.name} is restricted and you are not in the authorized list. "
        f"Visit https://huggingface.co/{model.name} to ask for access.",
    )


def gated_awaiting_review(model: ModelSpec) -> HubRefusalError:
    """A gated repository whose owners have not answered the request for access."""
    return HubRefusalError(
        403, "GatedRepo", f"Your request to access model {model.name} is awaiting a review from the repo authors."
    )


def gated_for_fine_grained_token() -> HubRefusalError:
    """A gated repository asked for with a token that lacks the right; huggingface.co sends no code here."""
    return HubRefusalError(
        403,
        None,
        "Please enable access to public gated repositories in your fine-grained token settings "
        "to view this repository.",
    )


def read_only() -> HubRefusalError:
    """A change asked for by somebody who may only read."""
    return HubRefusalError(403, None, "You have read access but not the required permissions for this operation")


def bad_request(message: str) -> HubRefusalError:
    """A change that cannot be made as it was asked for."""
    return HubRefusalError(400, None, message)


def reference_exists(name: str) -> HubRefusalError:
    """A branch or tag whose name is taken."""
    return HubRefusalError(409, None, f"Reference already exists: {name}")


def revision_not_found(revision: str) -> HubRefusalError:
    """Neither a branch nor a tag nor a commit."""
    return HubRefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def file_not_found(commit: str) -> HubRefusalError:
    """A file that the revision does not have."""
    return HubRefusalError(404, "EntryNotFound", "Entry not found", commit)


def folder_not_found(path: str, revision: str, commit: str) -> HubRefusalError:
    """A folder that the revision does not have."""
    return HubRefusalError(404, "EntryNotFound", f'{path} does not exist on "{revision}"', commit)


def refusing(handler: Handler) -> Handler:
    """Turn a `HubRefusalError` raised by `handler` into its response."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except HubRefusalError as refusal:
            return refusal.response(as_json=request.path.startswith("/api/"))

    return answer
