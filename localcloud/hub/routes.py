"""The hub's HTTP side."""

import asyncio
from pathlib import Path

from aiohttp import web

from localcloud.hub import listing, refusals
from localcloud.hub.access import Caller, HubTokens, identify, require_access
from localcloud.hub.catalog import ModelSpec, find_model
from localcloud.hub.files import HubFile
from localcloud.hub.refusals import Handler, refusing
from localcloud.hub.repository import Repository, RepositoryFile, make_repository


def hub_routes(root: Path, tokens: HubTokens) -> list[web.RouteDef]:
    """The hub, to be added to an application. Each repository is made under `root` when it is first asked for."""
    hub = _Hub(root, tokens)
    api = "/api/models/{org}/{name}"
    handlers: dict[str, Handler] = {
        "/api/whoami-v2": hub.whoami,
        api: hub.model_info,
        f"{api}/revision/{{revision}}": hub.model_info,
        f"{api}/tree/{{revision}}": hub.tree,
        f"{api}/tree/{{revision}}/{{path:.+}}": hub.tree,
        f"{api}/refs": hub.refs,
        f"{api}/auth-check": hub.auth_check,
        "/{org}/{name}/resolve/{revision}/{path:.+}": hub.resolve,
    }
    return [
        *(web.get(path, refusing(handler)) for path, handler in handlers.items()),
        web.post(f"{api}/paths-info/{{revision}}", refusing(hub.paths_info)),
    ]


class _Hub:
    def __init__(self, root: Path, tokens: HubTokens) -> None:
        self._root = root
        self._tokens = tokens
        self._repositories: dict[str, Repository] = {}
        self._making = asyncio.Lock()

    async def whoami(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        if caller is Caller.ANONYMOUS:
            raise refusals.not_logged_in()
        return web.json_response(listing.whoami(licence_accepted=caller is Caller.WITH_ACCESS))

    async def model_info(self, request: web.Request) -> web.Response:
        repository = await self._repository(request)
        info = listing.model_info(repository, with_blobs=_is_true(request, "blobs"))
        if wanted := request.query.getall("expand", []) + request.query.getall("expand[]", []):
            info = {key: value for key, value in info.items() if key in ("_id", "id", *wanted)}
        return web.json_response(info)

    async def tree(self, request: web.Request) -> web.Response:
        repository = await self._repository(request)
        path = request.match_info.get("path", "")
        entries = listing.tree(repository, path, recursive=_is_true(request, "recursive"))
        if entries is None:
            raise refusals.folder_not_found(path, request.match_info["revision"], repository.commit)
        return web.json_response(entries)

    async def paths_info(self, request: web.Request) -> web.Response:
        repository = await self._repository(request)
        paths = [str(path) for path in (await request.post()).getall("paths", [])]
        files = [repository.files[path] for path in paths if path in repository.files]
        return web.json_response(listing.file_entries(files))

    async def refs(self, request: web.Request) -> web.Response:
        return web.json_response(listing.refs(await self._repository(request)))

    async def auth_check(self, request: web.Request) -> web.Response:
        repository = await self._repository(request)
        require_access(repository.model, self._caller(request))
        return web.Response()

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        repository = await self._repository(request)
        require_access(repository.model, self._caller(request))
        file = repository.files.get(request.match_info["path"])
        if file is None:
            raise refusals.file_not_found(repository.commit)
        return HubFile(repository.folder / file.path, _file_headers(repository, file))

    def _caller(self, request: web.Request) -> Caller:
        return identify(request.headers.get("Authorization"), self._tokens)

    async def _repository(self, request: web.Request) -> Repository:
        """The repository that the path names, at the revision that it names, if any."""
        model = self._model(request)
        async with self._making:
            if model.name not in self._repositories:
                self._repositories[model.name] = await asyncio.to_thread(make_repository, model, self._root)
        repository = self._repositories[model.name]
        revision = request.match_info.get("revision")
        if revision is not None and not repository.has_revision(revision):
            raise refusals.revision_not_found(revision)
        return repository

    def _model(self, request: web.Request) -> ModelSpec:
        caller = self._caller(request)
        asked = f"{request.match_info['org']}/{request.match_info['name']}"
        model = find_model(asked)
        if model is None:
            if caller is Caller.ANONYMOUS:
                raise refusals.repository_not_found_without_token()
            raise refusals.repository_not_found()
        if asked != model.name:
            # A relative Location with the rest of the path and the query, as huggingface.co answers for a renamed
            # repository and for a name in another case.
            raise web.HTTPTemporaryRedirect(request.raw_path.replace(asked, model.name, 1))
        return model


def _is_true(request: web.Request, parameter: str) -> bool:
    return request.query.get(parameter, "").lower() in ("true", "1")


def _file_headers(repository: Repository, file: RepositoryFile) -> dict[str, str]:
    etag = f'"{file.etag}"'
    return {
        "ETag": etag,
        "X-Repo-Commit": repository.commit,
        "X-Linked-Etag": etag,
        "X-Linked-Size": str(file.size),
        "Content-Disposition": f'inline; filename="{Path(file.path).name}"',
    }
