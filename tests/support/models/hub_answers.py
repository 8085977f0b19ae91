"""Questions to a small hub whose answers a test has prepared."""

import json

import pytest

from components.model.hub.checkpoint import Checkpoint
from components.model.hub.client import Hub, HubError
from tests.support.jumping_clock import JumpingClock
from tests.support.models.small_hub import (
    COMMIT,
    MODEL,
    Reply,
    SmallHub,
)

TOKEN = "hf_secret"

INDEX = "model.safetensors.index.json"


def ask(url: str, token: str = TOKEN) -> Checkpoint:
    return Hub(url, token, JumpingClock()).resolve(MODEL, "main")


def resolve(hub: SmallHub, token: str = TOKEN) -> Checkpoint:
    return ask(hub.url, token)


def error(hub: SmallHub, token: str = TOKEN) -> HubError:
    with pytest.raises(HubError) as caught:
        resolve(hub, token)
    assert len(str(caught.value).splitlines()) == 1
    assert TOKEN not in str(caught.value)
    return caught.value


def refusal(status: int, message: str = "", code: str = "") -> Reply:
    headers = {"X-Error-Message": message, "X-Error-Code": code}
    return Reply(status, message, {name: value for name, value in headers.items() if value})


def listing(files: object) -> Reply:
    """What a hub says of the model, with these files."""
    return Reply(200, json.dumps({"id": MODEL, "sha": COMMIT, "siblings": files}))
