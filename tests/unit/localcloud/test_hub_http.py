"""What the hub answers over HTTP."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDictProxy
from yarl import URL

from localcloud.hub import HubTokens, hub_routes

LICENSED = "hf_" + "a" * 34
UNLICENSED = "hf_" + "b" * 34
WRONG = "hf_" + "c" * 34
WAITING = "hf_" + "d" * 34
FINE_GRAINED = "hf_" + "e" * 34
TOKENS = HubTokens(LICENSED, UNLICENSED, WAITING, FINE_GRAINED)

GATED = "meta-llama/Llama-3.1-8B-Instruct"
OPEN = "HuggingFaceTB/SmolLM2-135M-Instruct"
MISSING = "meta-llama/Llama-9-1B"

LOG_IN = (
    f"Access to model {GATED} is restricted. "
    "You must have access to it and be authenticated to access it. Please log in."
)
ASK_FOR_ACCESS = (
    f"Access to model {GATED} is restricted and you are not in the authorized list. "
    f"Visit https://huggingface.co/{GATED} to ask for access."
)
INVALID_TOKEN = "Invalid credentials in Authorization header"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Ask = Callable[..., Answer]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Send one request to a hub that keeps its files in `tmp_path`; redirects are not followed."""

    def send(path: str, token: str | None = None, method: str = "GET", **options: Any) -> Answer:
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})

        async def exchange() -> Answer:
            app = web.Application()
            app.add_routes(hub_routes(tmp_path, TOKENS))
            async with TestClient(TestServer(app)) as client:
                url = URL(path, encoded=True)
                reply = await client.request(method, url, headers=headers, allow_redirects=False, **options)
                return Answer(reply.status, reply.headers, await reply.read())

        return asyncio.run(exchange())

    return send


def commit_of(ask: Ask, model: str) -> str:
    return str(ask(f"/api/models/{model}").json["sha"])


def test_metadata_of_a_gated_model_is_public(ask: Ask) -> None:
    info = ask(f"/api/models/{GATED}").json

    assert info["id"] == info["modelId"] == GATED
    assert info["gated"] == "manual"
    assert info["private"] is False
    assert info["pipeline_tag"] == "text-generation"
    assert info["safetensors"]["parameters"] == {"BF16": info["safetensors"]["total"]}
    assert info["config"]["architectures"] == ["LlamaForCausalLM"]
    assert {"rfilename": "config.json"} in info["siblings"]


def test_an_open_model_is_not_gated(ask: Ask) -> None:
    assert ask(f"/api/models/{OPEN}").json["gated"] is False


def test_blobs_adds_sizes_and_hashes_to_the_files(ask: Ask) -> None:
    siblings = {entry["rfilename"]: entry for entry in ask(f"/api/models/{OPEN}?blobs=true").json["siblings"]}

    weights = siblings["model.safetensors"]
    assert weights["lfs"]["size"] == weights["size"] > 100_000
    assert len(weights["lfs"]["sha256"]) == 64
    assert len(weights["blobId"]) == 40
    assert weights["lfs"]["pointerSize"] == 131
    assert "lfs" not in siblings["config.json"]


def test_expand_answers_only_what_was_asked_for(ask: Ask) -> None:
    assert set(ask(f"/api/models/{GATED}?expand=gated&expand=sha").json) == {"_id", "id", "gated", "sha"}


def test_main_and_the_commit_are_the_same_revision(ask: Ask) -> None:
    commit = commit_of(ask, GATED)

    by_branch = ask(f"/api/models/{GATED}/revision/main").json
    assert by_branch == ask(f"/api/models/{GATED}/revision/{commit}").json
    assert by_branch["sha"] == commit
    assert ask(f"/api/models/{GATED}/refs").json["branches"] == [
        {"name": "main", "ref": "refs/heads/main", "targetCommit": commit}
    ]


@pytest.mark.parametrize(
    "path", [f"/api/models/{OPEN}/revision/v2", f"/api/models/{OPEN}/tree/v2", f"/{OPEN}/resolve/v2/config.json"]
)
def test_an_unknown_revision_is_named_in_the_refusal(ask: Ask, path: str) -> None:
    answer = ask(path)

    assert answer.status == 404
    assert answer.headers["X-Error-Code"] == "RevisionNotFound"
    assert answer.headers["X-Error-Message"] == "Invalid rev id: v2"


def test_a_listing_shows_folders_and_only_on_request_what_is_in_them(ask: Ask) -> None:
    top = {entry["path"]: entry for entry in ask(f"/api/models/{GATED}/tree/main").json}
    everything = {entry["path"] for entry in ask(f"/api/models/{GATED}/tree/main?recursive=True").json}

    assert top["original"]["type"] == "directory"
    assert everything - set(top) == {"original/consolidated.00.pth"}
    assert (
        top["model.safetensors"]["lfs"]["oid"]
        == sha256(ask(f"/{GATED}/resolve/main/model.safetensors", LICENSED).body).hexdigest()
    )


def test_a_listing_of_a_folder_has_paths_from_the_root(ask: Ask) -> None:
    assert [entry["path"] for entry in ask(f"/api/models/{GATED}/tree/main/original").json] == [
        "original/consolidated.00.pth"
    ]


@pytest.mark.parametrize("folder", ["additional_chat_templates", "config.json", "original%2Fconsolidated.00.pth"])
def test_a_listing_of_what_is_no_folder_is_not_found(ask: Ask, folder: str) -> None:
    answer = ask(f"/api/models/{GATED}/tree/main/{folder}")

    assert answer.status == 404
    assert answer.headers["X-Error-Code"] == "EntryNotFound"
    assert answer.json["error"].endswith('does not exist on "main"')


def test_paths_info_leaves_out_what_is_not_there(ask: Ask) -> None:
    answer = ask(
        f"/api/models/{GATED}/paths-info/main",
        method="POST",
        data=[("paths", "config.json"), ("paths", "nothing.json"), ("expand", "false")],
    )

    assert [entry["path"] for entry in answer.json] == ["config.json"]


@pytest.mark.parametrize("path", ["model.safetensors", "config.json", "original/consolidated.00.pth"])
def test_a_file_comes_whole_and_under_the_hash_that_names_it(ask: Ask, path: str) -> None:
    head = ask(f"/{GATED}/resolve/main/{path}", LICENSED, method="HEAD")
    answer = ask(f"/{GATED}/resolve/main/{path}", LICENSED)

    entries = {entry["path"]: entry for entry in ask(f"/api/models/{GATED}/tree/main?recursive=true").json}
    entry = entries[path]
    etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
    for reply in (head, answer):
        assert reply.status == 200
        assert reply.headers["ETag"] == reply.headers["X-Linked-Etag"] == f'"{etag}"'
        assert reply.headers["X-Linked-Size"] == reply.headers["Content-Length"] == str(entry["size"])
        assert reply.headers["X-Repo-Commit"] == commit_of(ask, GATED)
        assert reply.headers["Accept-Ranges"] == "bytes"
        assert not [name for name in reply.headers if name.lower().startswith("x-xet")]
    assert head.body == b""
    assert len(answer.body) == entry["size"]
    if "lfs" in entry:
        assert sha256(answer.body).hexdigest() == etag


@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)]
)
def test_a_download_can_be_resumed_anywhere(ask: Ask, asked: str, start: int, stop: int | None) -> None:
    path = f"/{OPEN}/resolve/main/model.safetensors"
    whole = ask(path).body
    part = ask(path, headers={"Range": asked})

    assert part.status == 206
    assert part.body == whole[start:stop]
    assert part.headers["Content-Range"].endswith(f"/{len(whole)}")


def test_a_range_past_the_end_is_refused_with_the_size(ask: Ask) -> None:
    path = f"/{OPEN}/resolve/main/config.json"
    size = len(ask(path).body)
    answer = ask(path, headers={"Range": f"bytes={size}-"})

    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    ("path", "token", "status", "code", "message"),
    [
        (f"/{GATED}/resolve/main/config.json", None, 401, "GatedRepo", LOG_IN),
        (f"/{GATED}/resolve/main/config.json", UNLICENSED, 403, "GatedRepo", ASK_FOR_ACCESS),
        (f"/{GATED}/resolve/main/nothing.json", None, 401, "GatedRepo", LOG_IN),
        (f"/{GATED}/resolve/main/nothing.json", LICENSED, 404, "EntryNotFound", "Entry not found"),
        (f"/{OPEN}/resolve/main/nothing.json", None, 404, "EntryNotFound", "Entry not found"),
        (f"/api/models/{GATED}/auth-check", None, 401, "GatedRepo", LOG_IN),
        (f"/api/models/{GATED}/auth-check", UNLICENSED, 403, "GatedRepo", ASK_FOR_ACCESS),
        (f"/api/models/{MISSING}", None, 401, "RepoNotFound", "Invalid username or password."),
        (f"/api/models/{MISSING}", LICENSED, 404, "RepoNotFound", "Repository not found"),
        (f"/{MISSING}/resolve/main/config.json", UNLICENSED, 404, "RepoNotFound", "Repository not found"),
        (f"/api/models/{MISSING}/auth-check", LICENSED, 404, "RepoNotFound", "Repository not found"),
        (f"/api/models/{OPEN}", WRONG, 401, None, INVALID_TOKEN),
        (f"/{OPEN}/resolve/main/config.json", WRONG, 401, None, INVALID_TOKEN),
        (f"/api/models/{MISSING}", WRONG, 401, None, INVALID_TOKEN),
        ("/api/whoami-v2", None, 401, None, "Invalid username or password."),
        ("/api/whoami-v2", WRONG, 401, None, INVALID_TOKEN),
    ],
)
def test_a_refusal_says_why_in_the_words_of_the_real_hub(
    ask: Ask, path: str, token: str | None, status: int, code: str | None, message: str
) -> None:
    answer = ask(path, token)

    assert (answer.status, answer.headers.get("X-Error-Code")) == (status, code)
    assert answer.headers["X-Error-Message"] == message
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    if path.startswith("/api/"):
        assert answer.json == {"error": message}
    else:
        assert answer.body.decode() == message


@pytest.mark.parametrize("token", [None, UNLICENSED, LICENSED])
def test_an_open_model_needs_no_licence(ask: Ask, token: str | None) -> None:
    assert ask(f"/{OPEN}/resolve/main/config.json", token).status == 200
    assert ask(f"/api/models/{OPEN}/auth-check", token).status == 200


def test_the_owner_of_an_accepted_licence_is_let_in(ask: Ask) -> None:
    assert ask(f"/api/models/{GATED}/auth-check", LICENSED).status == 200
    assert ask(f"/{GATED}/resolve/main/config.json", LICENSED).status == 200


def test_two_tokens_have_two_owners(ask: Ask) -> None:
    names = {ask("/api/whoami-v2", token).json["name"] for token in (LICENSED, UNLICENSED)}

    assert len(names) == 2


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/api/models/meta-llama/Meta-Llama-3.1-8B-Instruct?blobs=true", f"/api/models/{GATED}?blobs=true"),
        (
            "/meta-llama/Meta-Llama-3.1-8B-Instruct/resolve/main/original/consolidated.00.pth",
            f"/{GATED}/resolve/main/original/consolidated.00.pth",
        ),
        ("/api/models/Meta-Llama/llama-3.1-8b-instruct/tree/main", f"/api/models/{GATED}/tree/main"),
    ],
)
def test_a_renamed_model_and_another_case_lead_to_the_name_of_today(ask: Ask, asked: str, location: str) -> None:
    answer = ask(asked)

    assert answer.status == 307
    assert answer.headers["Location"] == location


def test_nothing_is_made_before_it_is_asked_for(ask: Ask, tmp_path: Path) -> None:
    ask("/api/whoami-v2", LICENSED)
    ask(f"/api/models/{MISSING}")
    assert list(tmp_path.iterdir()) == []

    ask(f"/api/models/{OPEN}")
    assert [path.name for path in tmp_path.iterdir()] == ["HuggingFaceTB--SmolLM2-135M-Instruct"]


@pytest.mark.parametrize("path", ["../secret", "..%2Fsecret", "%2e%2e/secret", "/etc/passwd"])
def test_no_path_leads_out_of_a_repository(ask: Ask, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("do not show")
    answer = ask(f"/{OPEN}/resolve/main/{path}")

    assert answer.status == 404
    assert b"do not show" not in answer.body


@pytest.mark.parametrize(
    ("token", "code", "message"),
    [
        (WAITING, "GatedRepo", f"Your request to access model {GATED} is awaiting a review from the repo authors."),
        (
            FINE_GRAINED,
            None,
            "Please enable access to public gated repositories in your fine-grained token settings "
            "to view this repository.",
        ),
    ],
)
def test_a_token_that_is_not_let_in_is_told_what_it_lacks(ask: Ask, token: str, code: str | None, message: str) -> None:
    for path in (f"/{GATED}/resolve/main/config.json", f"/api/models/{GATED}/auth-check"):
        answer = ask(path, token)
        assert (answer.status, answer.headers.get("X-Error-Code")) == (403, code)
        assert answer.headers["X-Error-Message"] == message
    assert ask(f"/{OPEN}/resolve/main/config.json", token).status == 200
    assert ask("/api/whoami-v2", token).status == 200


@pytest.mark.parametrize(("token", "status"), [(None, 401), (UNLICENSED, 403), (FINE_GRAINED, 403)])
def test_only_the_token_with_access_changes_a_repository(ask: Ask, token: str | None, status: int) -> None:
    assert ask(f"/api/models/{OPEN}/tag/main", token, method="POST", json={"tag": "v1"}).status == status
    assert ask(f"/api/models/{OPEN}/commit/main", token, method="POST", data=b"").status == status


@pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", ""])
def test_no_commit_writes_outside_of_a_repository(ask: Ask, tmp_path: Path, path: str) -> None:
    line = json.dumps({"key": "file", "value": {"path": path, "content": "eA==", "encoding": "base64"}})
    answer = ask(f"/api/models/{OPEN}/commit/main", LICENSED, method="POST", data=line.encode())
    assert answer.status == 400
    assert not (tmp_path / "secret").exists()


def test_a_token_that_is_not_set_is_nobodys() -> None:
    async def exchange() -> int:
        app = web.Application()
        app.add_routes(hub_routes(Path("unused"), HubTokens(LICENSED, UNLICENSED)))
        async with TestClient(TestServer(app)) as client:
            return (await client.get("/api/whoami-v2", headers={"Authorization": "Bearer "})).status

    assert asyncio.run(exchange()) == 401


def test_a_full_size_file_announces_its_size_and_is_zeros_behind_its_header(ask: Ask, tmp_path: Path) -> None:
    model, shard = "full-size/Llama-3.1-8B-Instruct", "model-00001-of-00004.safetensors"
    entries = {entry["path"]: entry for entry in ask(f"/api/models/{model}/tree/main?recursive=true").json}
    end = ask(f"/{model}/resolve/main/{shard}", headers={"Range": "bytes=4000000000-4000000099"})

    assert entries[shard]["size"] > 4_500_000_000
    assert sum(entry["size"] for entry in entries.values()) > 2 * 16_060_522_496
    assert (end.status, end.body) == (206, bytes(100))
    assert end.headers["Content-Range"] == f"bytes 4000000000-4000000099/{entries[shard]['size']}"
    assert sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*") if path.is_file()) < 2_000_000
