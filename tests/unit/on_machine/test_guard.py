"""The door of the server, as an ASGI client meets it."""

import json
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.on_machine.service.guard import ALLOWED, KEYS_VARIABLE
from tests.support.guarded_server import CHUNKED, GONE, KEY, Header, Server, bearer, part


def test_the_key_opens_and_health_needs_none(server: Server) -> None:
    assert server.status("/v1/models", bearer()) == 200
    assert server.status("/health") == 200


@pytest.mark.parametrize(
    "path",
    [
        *ALLOWED,
        "/",
        "/invocations",
        "/docs",
        "/openapi.json",
        "/health/",
        "//health",
        "//v1/models",
        "/HEALTH",
        "/health/../v1/models",
    ],
)
def test_without_the_key_nothing_but_a_look_at_the_health_reaches_the_server(server: Server, path: str) -> None:
    for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "BREW"):
        if (path, method) != ("/health", "GET"):
            assert server.status(path, method=method) == 401
    assert server.reached == 0


@pytest.mark.parametrize("path", ALLOWED)
def test_with_the_key_each_path_of_the_list_answers_to_its_method_and_to_no_other(server: Server, path: str) -> None:
    path = path.replace("{id}", "resp_0123abcDEF-9")
    right = "POST" if server.status(path, bearer(), method="GET") == 405 else "GET"
    assert server.status(path, bearer(), method=right) == 200
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"} - {right}:
        assert server.status(path, bearer(), method=method) == 405
    assert server.reached == 1 + (right == "GET")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/docs", "/redoc", "/openapi.json", "/invocations", "/ping", "/load", "/server_info", "/pause"),
        *("/v1/load_lora_adapter", "/reset_prefix_cache", "/collective_rpc", "/sleep", "/update_weights", "/metrics/"),
        *("/v1/models/", "//v1/models", "/v1//models", "/V1/models", "/v1/models\0", "/v1/models\n", "/v1/models?"),
        *("/v1/responses/{id}", "/v1/responses/", "/v1/responses/a/b", "/v1/responses/../models", "/v1/responses/é"),
        *("/v1/responses/a/cancel/", "/v1/responses/" + "a" * 129, "/v1/chat/completions/render"),
    ],
)
def test_with_the_key_what_is_not_on_the_list_is_not_there(server: Server, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert server.status(path, bearer(), method=method) == 404
    assert server.reached == 0


@pytest.mark.parametrize(
    "headers",
    [
        [bearer("")],
        [bearer("sk-the-wrong-key")],
        [bearer(KEY + "x")],
        [bearer(KEY[:-1])],
        [bearer(KEY.upper())],
        [(b"authorization", KEY.encode())],
        [(b"authorization", b"Basic " + KEY.encode())],
        [(b"authorization", b"Bearer\t" + KEY.encode())],
        [(b"authorization", b"")],
        [(b"x-api-key", KEY.encode())],
        [bearer("wrong"), bearer(KEY)],
        [bearer(KEY), bearer("wrong")],
        [bearer(KEY), bearer(KEY)],
        [bearer(KEY), (b"Authorization", b"")],
        [(b"authorization", b"Bearer \xff\xfe")],
    ],
)
def test_what_is_not_exactly_the_key_stays_outside(server: Server, headers: list[Header]) -> None:
    assert server.status("/v1/models", *headers) == 401
    assert server.reached == 0


@pytest.mark.parametrize("headers", [[], [bearer()]])
def test_a_websocket_is_refused_also_with_the_key(server: Server, headers: list[Header]) -> None:
    assert server.status("/v1/realtime", *headers, kind="websocket") == 1008
    assert server.reached == 0


def test_a_new_key_counts_at_once_and_the_old_one_no_more(server: Server, keys: Path) -> None:
    assert server.status("/v1/models", bearer(KEY)) == 200
    keys.write_text("sk-a-new-key\nsk-a-second-one\n")
    os.utime(keys, ns=(1, 1))
    assert server.status("/v1/models", bearer("sk-a-new-key")) == 200
    assert server.status("/v1/models", bearer("sk-a-second-one")) == 200
    assert server.status("/v1/models", bearer(KEY)) == 401


def test_a_rotation_has_no_moment_in_which_neither_key_counts(server: Server, keys: Path) -> None:
    for content, old, new in (
        (f"{KEY}\n", 200, 401),
        (f"sk-new\n{KEY}\n", 200, 200),
        ("sk-new\n", 401, 200),
    ):
        (keys.parent / "new").write_text(content)
        (keys.parent / "new").replace(keys)
        assert (server.status("/v1/models", bearer(KEY)), server.status("/v1/models", bearer("sk-new"))) == (old, new)


@pytest.mark.parametrize("content", ["", "\n", " \n\t\n", None])
def test_an_empty_or_missing_key_file_lets_nobody_in(server: Server, keys: Path, content: str | None) -> None:
    assert server.status("/v1/models", bearer()) == 200
    keys.unlink()
    if content is not None:
        keys.write_text(content)
    for key in ("", " ", KEY):
        assert server.status("/v1/models", bearer(key)) == 401
    assert server.status("/health") == 200


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        ({"path": "/v1/models"}, 401, "authentication_error"),
        ({"path": "/v1/models", "headers": [bearer("no")]}, 401, "authentication_error"),
        ({"path": "/docs", "headers": [bearer()]}, 404, "invalid_request_error"),
        ({"path": "/tokenize", "headers": [bearer()]}, 405, "invalid_request_error"),
    ],
)
def test_errors_are_those_of_openai_and_close_the_connection(
    server: Server, request_: dict[str, Any], status: int, kind: str
) -> None:
    start, *parts = server.ask(request_["path"], *request_.get("headers", ()))
    body = b"".join(message["body"] for message in parts)
    error = json.loads(body)["error"]
    headers = dict(start["headers"])
    assert (start["status"], error["type"]) == (status, kind)
    assert error["message"]
    assert error["code"]
    assert headers[b"content-length"] == str(len(body)).encode()
    assert headers[b"connection"] == b"close"
    assert KEY not in body.decode()


NAMES = st.sampled_from([b"authorization", b"content-length", b"transfer-encoding", b"x"]) | st.binary(max_size=20)

VALUES = st.sampled_from([b"Bearer ", b"bearer", b"chunked", b"5", b"99999999999"]) | st.binary(max_size=40)

MESSAGES = st.lists(
    st.builds(part, st.binary(max_size=40), more=st.booleans()) | st.just(GONE), min_size=1, max_size=4
).map(lambda messages: [*messages, GONE])

PATHS = st.sampled_from(sorted(ALLOWED)) | st.text(max_size=40) | st.sampled_from(["//health", "/health/", "/%68ealth"])


METHODS = st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT"]) | st.text(max_size=8)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
some = settings(max_examples=60, deadline=None)
many = settings(max_examples=2000, deadline=None)


@some
@given(PATHS, METHODS, HEADERS, MESSAGES)
def test_whatever_is_sent_without_the_key_is_answered_and_reaches_nothing(
    path: str, method: str, headers: list[Header], messages: list[MutableMapping[str, Any]]
) -> None:
    assert_refused(path, method, headers, messages)


@pytest.mark.long
@many
@given(PATHS, METHODS, HEADERS, MESSAGES)
def test_whatever_is_sent_without_the_key_is_answered_and_reaches_nothing_however_often_it_is_tried(
    path: str, method: str, headers: list[Header], messages: list[MutableMapping[str, Any]]
) -> None:
    assert_refused(path, method, headers, messages)


def assert_refused(path: str, method: str, headers: list[Header], messages: list[MutableMapping[str, Any]]) -> None:
    server = Server.__new__(Server)
    server.reached = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEYS_VARIABLE, os.devnull)
        Server.__init__(server)
    if (path, method) == ("/health", "GET"):
        path = "/healthy"
    # A surrogate cannot be encoded, and no server makes one: what is not UTF-8 in a path is replaced.
    path = path.encode("utf-8", "replace").decode()
    status = server.status(path, *headers, method=method, messages=messages)
    assert 400 <= status < 500
    assert server.reached == 0


@pytest.fixture(scope="module")
def one_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for all examples of a test."""
    file = tmp_path_factory.mktemp("guard") / "api-keys"
    file.write_text(KEY)
    return file


@some
@given(path=PATHS, method=METHODS, messages=MESSAGES)
def test_whatever_is_sent_with_the_key_reaches_only_what_is_on_the_list(
    one_key: Path, path: str, method: str, messages: list[MutableMapping[str, Any]]
) -> None:
    assert_on_the_list(one_key, path, method, messages)


@pytest.mark.long
@many
@given(path=PATHS, method=METHODS, messages=MESSAGES)
def test_whatever_is_sent_with_the_key_reaches_only_what_is_on_the_list_however_often_it_is_tried(
    one_key: Path, path: str, method: str, messages: list[MutableMapping[str, Any]]
) -> None:
    assert_on_the_list(one_key, path, method, messages)


def assert_on_the_list(keys: Path, path: str, method: str, messages: list[MutableMapping[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEYS_VARIABLE, str(keys))
        server = Server()
    path = path.encode("utf-8", "replace").decode()
    server.ask(path, bearer(), CHUNKED, method=method, messages=messages)
    assert server.reached == 0 or ALLOWED.get(path) == method
