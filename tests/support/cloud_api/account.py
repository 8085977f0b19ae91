"""A local cloud without a process: the real application, driven request by request on a loop of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientError, ClientTimeout, web
from aiohttp.test_utils import TestClient, TestServer

from localcloud.account.records import GONE
from localcloud.account.state import StateDirectory
from localcloud.api.edge import RateLimit
from localcloud.machines.base import Machines
from localcloud.machines.none import NoMachines
from localcloud.server import make_app, open_cloud
from tests.support.jumping_clock import JumpingClock

T = TypeVar("T")

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICN+lJwsONkwrdsSnQsu1ydUkIuIg5oOC+Eslvmtt60T noname"

LAUNCH = "/instance-operations/launch"
TERMINATE = "/instance-operations/terminate"

GH200 = {"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": ["key"]}
"""The least that a launch has to say."""


FOR_EVER = ClientTimeout(total=None)
"""No test measures how long an answer takes; one that never comes is pytest's to end."""


@dataclass(frozen=True)
class Answer:
    """What came back; `json` is None when it is not JSON, `status` is None when no whole answer came back."""

    status: int | None
    text: str
    json: Any
    date: str = ""
    """The header, as it came."""

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
    """A client with the account's key. The cloud lives only during calls and `wait`, so nothing happens unseen.

    Time passes by `wait` and `until` alone; a call takes none.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, client: "TestClient[Any, Any]", api_key: str, clock: JumpingClock
    ) -> None:
        self.clock = clock
        self._loop = loop
        self._client = client
        self._begun: set[asyncio.Task[Any]] = set()
        self.api_key = api_key

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Any request to any path, with the key unless `headers` say otherwise."""
        return self.outcome(self.begun(method, path, body, headers))

    def begun(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> "asyncio.Task[Answer]":
        """The same, begun: it goes on while the cloud lives, and its client goes away when it is cancelled."""
        headers = {"Authorization": f"Bearer {self.api_key}"} if headers is None else headers
        return self._begin(self._call(method, path, body, headers))

    def raw(self, path: str, agent: str | None = "raw") -> "asyncio.Task[bytes]":
        """Begin a GET below /api/v1 without a client library; the task ends with the connection.

        Without an `agent` the request has no User-Agent at all.
        """
        return self._begin(self._raw(path, agent))

    def outcome(self, task: "asyncio.Task[T]") -> T:
        """Let the cloud live until something begun is over; what came of it."""
        return self._loop.run_until_complete(task)

    def raw_bytes(self, path: str) -> bytes:
        """Body of a GET of any path, as it came."""
        return self._run(self._bytes(path))

    def leave(self) -> None:
        """Close the connections of what was begun."""
        for task in self._begun:
            task.cancel()
        self._run(asyncio.wait(self._begun) if self._begun else asyncio.sleep(0))

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
        given = {name: value for name, value in (GH200 | fields).items() if value is not None}
        return self.post(LAUNCH, given)

    def launched(self, **fields: object) -> str:
        """The id of an instance launched with a key that is made when missing."""
        if not any(key["name"] == "key" for key in self.get("/ssh-keys").data):
            self.post("/ssh-keys", {"name": "key", "public_key": PUBLIC_KEY})
        instance_id: str = self.launch(**fields).data["instance_ids"][0]
        return instance_id

    def terminate(self, instance_id: str) -> Answer:
        """Ask for the end of an instance."""
        return self.post(TERMINATE, {"instance_ids": [instance_id]})

    def fault(self, operation: str, kind: str, **more: object) -> Any:
        """Let the next call of an operation go wrong; `more` is `times` or `seconds`."""
        return self.control("POST", "/faults", {"operation": operation, "kind": kind} | more)

    def billed(self) -> list[str]:
        """Ids of the instances that cost money, whatever the API knows."""
        return [one["id"] for one in self.control("GET", "/instances") if one["status"] not in GONE]

    def wait(self, seconds: float = 0.0) -> None:
        """Let the cloud live for a while: all happens that is due by then, and what follows from it."""
        self._run(self.clock.pass_by(seconds))

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the cloud live until something is true of it, from one thing that happens to the next."""
        self.wait()
        while not condition():
            assert self._run(self.clock.pass_until_next()), "never came true"

    def until_status(self, instance_id: str, status: str | None) -> None:
        """Let the cloud live until an instance is in a state, or gone."""
        self.until(lambda: self.status(instance_id) == status)

    def status(self, instance_id: str) -> str | None:
        """State of an instance, None when it is not there."""
        answer = self.get(f"/instances/{instance_id}")
        return str(answer.data["status"]) if answer.status == 200 else None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def _begin(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = self._loop.create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return task

    async def _call(self, method: str, path: str, body: object, headers: dict[str, str]) -> Answer:
        try:
            response = await self._client.request(method, path, json=body, headers=headers, timeout=FOR_EVER)
            text = await response.text()
        except (ClientError, TimeoutError):
            return Answer(None, "", None)
        is_json = response.content_type == "application/json"
        said = await response.json() if is_json else None
        return Answer(response.status, text, said, response.headers.get("Date", ""))

    async def _bytes(self, path: str) -> bytes:
        return await (await self._client.get(path)).read()

    async def _raw(self, path: str, agent: str | None) -> bytes:
        server = self._client.server
        reader, writer = await asyncio.open_connection(server.host, server.port)
        headers = f"Host: cloud\r\nAuthorization: Bearer {self.api_key}\r\nConnection: close\r\n"
        if agent is not None:
            headers += f"User-Agent: {agent}\r\n"
        try:
            writer.write(f"GET /api/v1{path} HTTP/1.1\r\n{headers}\r\n".encode())
            return await reader.read()
        finally:
            writer.close()


@contextmanager
def open_account(
    state: Path,
    machines: Machines | None = None,
    time_scale: float = 0.0,
    rate_limit: RateLimit = "off",
    hub: Sequence[web.RouteDef] = (),
    clock: JumpingClock | None = None,
) -> Iterator[Account]:
    """A cloud on a state directory; leaving it is a shutdown. `clock` may be that of an earlier one."""
    clock = clock or JumpingClock()
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()

    async def start() -> Account:
        opened = open_cloud(StateDirectory(state), machines or NoMachines(), time_scale, clock=clock)
        cloud = await stack.enter_async_context(opened)
        server = TestServer(make_app(cloud, hub, rate_limit))
        client: TestClient[Any, Any] = await stack.enter_async_context(TestClient(server))
        return Account(loop, client, cloud.credentials.api_key, clock)

    account = loop.run_until_complete(start())
    try:
        yield account
    finally:
        loop.run_until_complete(stack.aclose())
        account.leave()
        loop.close()
