"""Asks uvicorn, set up as vLLM does, for the status of each argument; run by a Python that has vLLM.

Its log, on standard output and error, is what uvicorn writes of these requests.
"""

import http.client
import sys
import threading
from importlib import import_module
from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers `/STATUS`, and the lifespan of the server."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": int(scope["path"].strip("/")), "headers": []})
        await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve in a thread, ask, and end."""
    uvicorn = import_module("uvicorn")
    starlette = import_module("starlette.applications").Starlette()
    starlette.mount("/", app)
    starlette.add_middleware(import_module("components.on_machine.service.access_log").FailuresOnly)
    config = uvicorn.Config(starlette, host="127.0.0.1", port=0, access_log=True)
    config.load()
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run)
    serving.start()
    while not server.started:
        serving.join(0.05)
        assert serving.is_alive(), "uvicorn did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    for status in sys.argv[1:]:
        asking = http.client.HTTPConnection("127.0.0.1", port)
        asking.request("GET", f"/{status}")
        assert asking.getresponse().status == int(status)
    server.should_exit = True
    serving.join()


if __name__ == "__main__":
    main()
