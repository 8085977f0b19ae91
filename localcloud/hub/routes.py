"""The hub's HTTP side."""

import asyncio
from pathlib import Path

from aiohttp import web

from localcloud.hub import changes, listing, refusals
from localcloud.hub.access import Caller, HubTokens, identify, require_access, require_write
from localcloud.hub.catalog import ModelSpec, find_model
from localcloud.hub.files import HubFile
from localcloud.hub.history import History
from localcloud.hub.refusals import Handler, refusing
from localcloud.hub.repository import BRANCH, Repository, RepositoryFile, make_repository


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
        web.post(f"{api}/preupload/{{revision}}", refusing(hub.preupload)),
        web.post(f"{api}/commit/{{revision}}", refusing(hub.commit)),
        web.post("/api/validate-yaml", refusing(hub.validate_yaml)),
        web.post(f"{api}/branch/{{branch}}", refusing(hub.add_branch)),
        web.post(f"{api}/tag/{{revision}}", refusing(hub.add_tag)),
        web.delete(f"{api}/branch/{{branch}}", refusing(hub.remove_branch)),
        web.delete(f"{api}/tag/{{tag}}", refusing(hub.remove_tag)),
    ]


class _Hub:
    def __init__(self, root: Path, tokens: HubTokens) -> None:
        self._root = root
        self._tokens = tokens
        self._histories: dict[str, History] = {}
        self._making = asyncio.Lock()

    async def whoami(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        if caller is Caller.ANONYMOUS:
            raise refusals.not_logged_in()
        return web.json_response(listing.whoami(caller))

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
        return web.json_response(listing.refs(await self._history(request)))

    async def preupload(self, request: web.Request) -> web.Response:
        await self._to_change(request)
        return web.json_response(changes.upload_modes((await request.json())["files"]))

    async def commit(self, request: web.Request) -> web.Response:
        history = await self._to_change(request)
        made = changes.commit(history, request.match_info["revision"], await request.read())
        url = f"{request.scheme}://{request.host}/{made.model.name}/commit/{made.commit}"
        return web.json_response({"success": True, "commitOid": made.commit, "commitUrl": url, "hookOutput": ""})

    async def validate_yaml(self, _request: web.Request) -> web.Response:
        """What clients ask before they change a model card."""
        return web.json_response({"errors": [], "warnings": []})

    async def add_branch(self, request: web.Request) -> web.Response:
        history = await self._to_change(request)
        body = await request.json() if request.can_read_body else {}
        changes.add_reference(history, history.branches, request.match_info["branch"], body.get("startingPoint"))
        return web.Response()

    async def add_tag(self, request: web.Request) -> web.Response:
        history = await self._to_change(request)
        name = str((await request.json())["tag"])
        changes.add_reference(history, history.tags, name, request.match_info["revision"])
        return web.Response()

    async def remove_branch(self, request: web.Request) -> web.Response:
        changes.remove_reference((await self._to_change(request)).branches, request.match_info["branch"])
        return web.Response()

    async def remove_tag(self, request: web.Request) -> web.Response:
        changes.remove_reference((await self._to_change(request)).tags, request.match_info["tag"])
        return web.Response()

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

    async def _to_change(self, request: web.Request) -> History:
        """The history that the path names, for a caller who may write."""
        require_write(self._caller(request))
        return await self._history(request)

    async def _history(self, request: web.Request) -> History:
        model = self._model(request)
        async with self._making:
            if model.name not in self._histories:
                self._histories[model.name] = History(await asyncio.to_thread(make_repository, model, self._root))
        return self._histories[model.name]

    async def _repository(self, request: web.Request) -> Repository:
        """The repository that the path names, at the revision that it names, else at `main`."""
        revision = request.match_info.get("revision", BRANCH)
        found = (await self._history(request)).at(revision)
        if found is None:
            raise refusals.revision_not_found(revision)
        return found

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
