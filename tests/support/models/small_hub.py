"""A hub with one repository whose answers a test can bend: for what the local cloud's hub never answers."""

import asyncio
import json
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

MODEL = "owner/model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
INFO = f"/api/models/{MODEL}/revision/main"


def path_of(file: str) -> str:
    """Where a file is downloaded from."""
    return f"/{MODEL}/resolve/{COMMIT}/{file}"


def safetensors(tensors: Mapping[str, tuple[str, list[int], int]], is_whole: bool = True, **metadata: str) -> bytes:
    """A whole file, or all of it but the numbers; a tensor is its type, shape and size in bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", **metadata}}
    end = 0
    for name, (dtype, shape, nbytes) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + nbytes]}
        end += nbytes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end if is_whole else 0)


WEIGHTS = safetensors({"w": ("BF16", [2, 3], 12)})
CONFIG = json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}).encode()


@dataclass(frozen=True)
class Reply:
    """An answer in place of the right one."""

    status: int = 200
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class SmallHub:
    """What the hub has, what it answers instead, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=lambda: {"config.json": CONFIG, "model.safetensors": WEIGHTS})
    instead: dict[str, list[Reply]] = field(default_factory=dict)
    """By path, in order; the last one again and again."""
    zeros_after: dict[str, int] = field(default_factory=dict)
    """Bytes that follow in a file that is sent whole."""
    zeros_sent: int = 0
    ignores_ranges: bool = False
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    url: str = ""

    @property
    def asked(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(path for path, _ in self.requests)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        self.requests.append((request.path, dict(request.headers)))
        if replies := self.instead.get(request.path):
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            return web.Response(status=reply.status, text=reply.text, headers=reply.headers)
        if request.path == INFO:
            return web.json_response({"id": MODEL, "sha": COMMIT, "siblings": self._listed("blobs" in request.query)})
        name = request.path.removeprefix(path_of(""))
        if name not in self.files:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        return await self._file(request, name)

    def _size(self, name: str) -> int:
        return len(self.files[name]) + self.zeros_after.get(name, 0)

    def _listed(self, with_sizes: bool) -> list[dict[str, Any]]:
        return [{"rfilename": name} | ({"size": self._size(name)} if with_sizes else {}) for name in self.files]

    async def _file(self, request: web.Request, name: str) -> web.StreamResponse:
        content = self.files[name]
        if name in self.zeros_after:
            return await self._long_file(request, name)
        if self.ignores_ranges or "Range" not in request.headers:
            return web.Response(body=content)
        return web.Response(status=206, body=content[request.http_range])

    async def _long_file(self, request: web.Request, name: str) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_length = self._size(name)
        await answer.prepare(request)
        await answer.write(self.files[name])
        while self.zeros_sent < self.zeros_after[name]:
            # Fails once the client has hung up.
            await answer.write(bytes(2**20))
            self.zeros_sent += 2**20
        return answer


@contextmanager
def small_hub() -> Iterator[SmallHub]:
    """A hub that listens for as long as the block."""
    hub = SmallHub()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hub.answer)
    server = TestServer(app, host="127.0.0.1")
    asyncio.run_coroutine_threadsafe(server.start_server(), loop).result(10)
    hub.url = str(server.make_url("")).rstrip("/")
    try:
        yield hub
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
