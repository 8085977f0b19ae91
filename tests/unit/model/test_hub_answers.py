"""What is made of a hub's unusual answers: refusals, proxies, redirects."""

import json
import socket
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import hf_raise_for_status
from huggingface_hub.errors import RepositoryNotFoundError

from components.model.hub import library
from components.model.hub.client import HubUnreachableError
from components.model.hub.errors import Asked
from components.model.hub.errors import refusal as refused
from tests.support.models.hub_answers import INDEX, TOKEN, ask, error, listing, refusal, resolve
from tests.support.models.small_hub import (
    COMMIT,
    INFO,
    MODEL,
    Reply,
    SmallHub,
    path_of,
    small_hub,
)


@pytest.mark.parametrize(
    ("path", "reply", "told"),
    [
        (INFO, refusal(401, "Invalid username or password."), "the hub refused the token"),
        (INFO, refusal(401, 'User Access Token "mine" is expired'), "the token has expired: make a new one at"),
        (INFO, refusal(403, "Access to this resource is disabled."), "was disabled by the hub"),
        (
            INFO,
            refusal(403, "Your organization forbids it"),
            "(Your organization forbids it): check the token's rights",
        ),
        (
            path_of("config.json"),
            refusal(403, f"Your request to access model {MODEL} has been rejected by the repo's authors.", "GatedRepo"),
            "its owners rejected your request: see",
        ),
        (INFO, Reply(403, "[]", {"Content-Type": "application/json"}), "forbids owner/model to this token: check"),
        (INFO, refusal(451, "Unavailable For Legal Reasons"), "answered 451 for owner/model: Unavailable For Legal"),
        (INFO, Reply(403, "<html>Blocked</html>", {"Content-Type": "text/html"}), "check the proxy settings"),
        (INFO, Reply(407, "<html>Log in</html>", {"Content-Type": "text/html"}), "check the proxy settings"),
        (INFO, Reply(200, "<html>Welcome</html>", {"Content-Type": "text/html"}), "does not answer as a Hugging Face"),
        (INFO, Reply(200, json.dumps({"id": MODEL, "sha": "main"})), "does not answer as a Hugging Face hub does"),
        (INFO, Reply(200, json.dumps({"id": "--x $(y)", "sha": COMMIT})), "does not answer as a Hugging Face hub does"),
        (INFO, Reply(200, "[" * 200_000), "does not answer as a Hugging Face hub does"),
        (INFO, Reply(200, "[]"), "does not answer as a Hugging Face hub does"),
        (INFO, listing([{"rfilename": "config.json"}]), "does not answer as a Hugging Face hub does"),
        (INFO, listing([{"size": 1}]), "does not answer as a Hugging Face hub does"),
        (INFO, listing("config.json"), "does not answer as a Hugging Face hub does"),
        (path_of("config.json"), Reply(200, "[]"), "config.json of owner/model is not a JSON object"),
        (path_of(INDEX), Reply(200, '{"weight_map": []}'), f"{INDEX} of owner/model names no files"),
        (path_of(INDEX), Reply(200, '{"weight_map": {"w": "a.safetensors"}}'), "a.safetensors, which is not there"),
    ],
)
def test_each_answer_that_ends_it_is_told_in_its_own_line(hub: SmallHub, path: str, reply: Reply, told: str) -> None:
    hub.instead[path] = [reply]
    found = error(hub)
    assert told in str(found)
    assert not isinstance(found, HubUnreachableError)
    assert hub.asked[path] == 1


def test_a_file_in_another_encoding_is_not_what_a_hub_sends(hub: SmallHub) -> None:
    hub.files["config.json"] = b'{"author": "Andr\xe9"}'
    assert "does not answer as a Hugging Face hub does" in str(error(hub))


def test_a_bare_401_without_a_token_is_a_missing_model_as_on_huggingface_co(hub: SmallHub) -> None:
    hub.instead[INFO] = [refusal(401, "Invalid username or password.")]
    assert f"model {MODEL} does not exist on {hub.url}, or it is private and no token was given" in str(error(hub, ""))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(500), "the hub at {url} is in trouble (500)"),
        (Reply(502, "<html>", {"Content-Type": "text/html"}), "the hub at {url} is in trouble (502)"),
        (Reply(503, '["busy"]', {"Content-Type": "application/json"}), "the hub at {url} is in trouble (503)"),
        (Reply(429, "", {"RateLimit": '"api";r=0;t=55'}), "run the same command again in 55 s"),
        (Reply(429, "", {"Retry-After": "7"}), "run the same command again in 7 s"),
        (Reply(429), "run the same command again in some minutes"),
    ],
)
def test_a_passing_condition_says_nothing_about_the_model(hub: SmallHub, reply: Reply, told: str) -> None:
    for path in (INFO, path_of("model.safetensors")):
        hub.instead = {path: [reply]}
        found = error(hub)
        assert isinstance(found, HubUnreachableError)
        assert told.format(url=hub.url) in str(found)
        assert MODEL not in str(found)


def test_a_token_is_advised_to_those_who_are_limited_without_one(hub: SmallHub) -> None:
    hub.instead[INFO] = [Reply(429)]
    assert "with HF_TOKEN set the limit is higher" in str(error(hub, ""))
    assert "HF_TOKEN" not in str(error(hub))


def test_nobody_listening_is_a_passing_condition() -> None:
    with pytest.raises(HubUnreachableError, match=r"cannot reach the hub at http://127\.0\.0\.1:1 \(ConnectError\)"):
        ask("http://127.0.0.1:1/")


def test_a_hub_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the library's own sockets, whose time cannot be handed in.
    monkeypatch.setattr(library, "READ_TIMEOUT_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(HubUnreachableError, match=rf"cannot reach the hub at {url} \(ReadTimeout\)"):
            ask(url)


@pytest.mark.parametrize("url", ["http://[::1", "http://hub:port", "hub", "ftp://hub", "http://"])
def test_what_is_no_url_of_a_hub_is_told_and_no_traceback(url: str) -> None:
    with pytest.raises(HubUnreachableError, match=r"cannot reach the hub at .*: check hfEndpoint$"):
        ask(url)


def test_a_proxy_is_named_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:hf_secret@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(HubUnreachableError, match=r"ConnectError\): check hfEndpoint and the proxy settings$"):
        ask("http://hub.invalid")


def test_proxies_that_cannot_be_used_are_told_and_no_traceback(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "carrier-pigeon://user:hf_secret@127.0.0.1")
    assert "(ValueError): check the proxies (HTTPS_PROXY, ALL_PROXY)" in str(error(hub))


def test_the_files_come_with_the_commit_and_each_thing_is_asked_for_once(hub: SmallHub) -> None:
    assert {file.path for file in resolve(hub).files} == set(hub.files)
    wanted = (path_of(name) for name in ("config.json", INDEX, "model.safetensors"))
    assert hub.asked == Counter([INFO, *wanted])


def test_a_wrong_token_is_not_taken_for_a_missing_model_over_https_either() -> None:
    """For huggingface_hub a 401 over https is a missing repository, whatever the token."""
    request = httpx2.Request("GET", f"https://huggingface.co/api/models/{MODEL}/revision/main")
    headers = {"X-Error-Message": "Invalid username or password."}
    with pytest.raises(RepositoryNotFoundError) as caught:
        hf_raise_for_status(httpx2.Response(401, headers=headers, request=request))
    told = [str(refused(Asked("https://huggingface.co", MODEL, "main", has), caught.value)) for has in (True, False)]
    assert told[0].startswith("the hub refused the token")
    assert "does not exist on https://huggingface.co, or it is private and no token was given" in told[1]


def test_the_token_does_not_follow_a_redirect_to_another_host(hub: SmallHub) -> None:
    with small_hub() as cdn:
        hub.instead[path_of("model.safetensors")] = [
            Reply(302, headers={"Location": cdn.url + path_of("model.safetensors")})
        ]
        assert resolve(hub).tensors["w"].shape == (2, 3)
    assert all(headers["Authorization"] == f"Bearer {TOKEN}" for _, headers in hub.requests)
    ((path, headers),) = cdn.requests
    assert path == path_of("model.safetensors")
    assert headers["Range"].startswith("bytes=0-")
    assert headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in headers


def test_a_password_kept_for_the_host_is_not_sent_in_place_of_the_token(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    resolve(hub)
    assert {headers["Authorization"] for _, headers in hub.requests} == {f"Bearer {TOKEN}"}
    hub.requests.clear()
    resolve(hub, "")
    assert not any("Authorization" in headers for _, headers in hub.requests)
