"""A local cloud without a process: the real application, driven request by request on a loop of its own."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from aiohttp import ClientError
from aiohttp.test_utils import TestClient, TestServer

from localcloud.machines.base import Machines
from localcloud.machines.none import NoMachines
from localcloud.server import make_app, open_cloud
from localcloud.state import StateDirectory

T = TypeVar("T")

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICN+lJwsONkwrdsSnQsu1ydUkIuIg5oOC+Eslvmtt60T noname"


@dataclass(frozen=True)
class Answer:
    """What came back; `json` is None when it is not JSON, `status` is None when nothing came back."""

    status: int | None
    text: str
    json: Any

    @property
    def data(self) -> Any:
        """What a successful answer holds."""
        assert self.status == 200, self.text
        return self.json["data"]

    @property
    def code(self) -> str:
        """The API's error code."""
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        """The API's error text."""
        return str(self.json["error"]["message"])


class Account:
    """A client with the account's key. The cloud lives only during calls and `wait`, so nothing happens unseen."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: "TestClient[Any, Any]", api_key: str) -> None:
        self._loop = loop
        self._client = client
        self.api_key = api_key

    def call(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        """Any request to any path, with the key unless `headers` say otherwise."""
        headers = {"Authorization": f"Bearer {self.api_key}"} if headers is None else headers
        return self._run(self._call(method, path, body, headers))

    def get(self, path: str) -> Answer:
        """GET below /api/v1."""
        return self.call("GET", f"/api/v1{path}")

    def post(self, path: str, body: object) -> Answer:
        """POST below /api/v1."""
        return self.call("POST", f"/api/v1{path}", body)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """The control side, which must agree."""
        answer = self.call(method, f"/_localcloud{path}", body, {})
        assert answer.status == 200, answer.text
        return answer.json

    def launch(self, **fields: object) -> Answer:
        """Launch a GH200 with the key `key`, unless `fields` say otherwise; a field that is None is left out."""
        body = {
            "region_name": "us-east-3",
            "instance_type_name": "gpu_1x_gh200",
            "ssh_key_names": ["key"],
        } | fields
        given = {name: value for name, value in body.items() if value is not None}
        return self.post("/instance-operations/launch", given)

    def launched(self, **fields: object) -> str:
        """The id of an instance launched with a key that is made when missing."""
        if not any(key["name"] == "key" for key in self.get("/ssh-keys").data):
            self.post("/ssh-keys", {"name": "key", "public_key": PUBLIC_KEY})
        instance_id: str = self.launch(**fields).data["instance_ids"][0]
        return instance_id

    def wait(self, seconds: float) -> None:
        """Let the cloud live for a while."""
        self._run(asyncio.sleep(seconds))

    def status(self, instance_id: str) -> str | None:
        """State of an instance, None when it is not there."""
        answer = self.get(f"/instances/{instance_id}")
        return str(answer.data["status"]) if answer.status == 200 else None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _call(self, method: str, path: str, body: object, headers: dict[str, str]) -> Answer:
        try:
            response = await self._client.request(method, path, json=body, headers=headers)
        except ClientError:
            return Answer(None, "", None)
        text = await response.text()
        is_json = response.content_type == "application/json"
        return Answer(response.status, text, await response.json() if is_json else None)


@contextmanager
def open_account(
    state: Path,
    machines: Machines | None = None,
    time_scale: float = 0.0,
    rate_limit: Literal["lambda", "off"] = "off",
) -> Iterator[Account]:
    """A cloud on a state directory; leaving it is a shutdown."""
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()

    async def start() -> Account:
        cloud = await stack.enter_async_context(open_cloud(StateDirectory(state), machines or NoMachines(), time_scale))
        server = TestServer(make_app(cloud, [], rate_limit))
        client: TestClient[Any, Any] = await stack.enter_async_context(TestClient(server))
        return Account(loop, client, cloud.credentials.api_key)

    try:
        yield loop.run_until_complete(start())
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()
