"""The hub as its real client sees it: `huggingface_hub`, in this process and as the command `hf`."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from localcloud.hub import HubTokens, hub_routes

LICENSED = "hf_" + "a" * 34
UNLICENSED = "hf_" + "b" * 34
WRONG = "hf_" + "c" * 34
WAITING = "hf_" + "d" * 34
FINE_GRAINED = "hf_" + "e" * 34

LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"
LLAMA_70B = "meta-llama/Llama-3.1-70B-Instruct"
OLD_NAME = "meta-llama/Meta-Llama-3.1-8B-Instruct"
SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a hub that runs in a thread."""
    app = web.Application()
    app.add_routes(hub_routes(tmp_path_factory.mktemp("hub"), HubTokens(LICENSED, UNLICENSED, WAITING, FINE_GRAINED)))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = TestServer(app, host="127.0.0.1")
    asyncio.run_coroutine_threadsafe(server.start_server(), loop).result(10)
    yield str(server.make_url("")).rstrip("/")
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(autouse=True)
def at_home_nowhere(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the client from the real hub and from the home of whoever runs the tests.

    These are what `HF_ENDPOINT` and `HF_HOME` set, but only when the client is imported.
    """
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "harnesses.json"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


def api(token: str | None = None) -> HfApi:
    return HfApi(endpoint=constants.ENDPOINT, token=token or False)


def test_model_info_reads_a_gated_model_without_a_token() -> None:
    info = api().model_info(LLAMA_8B, files_metadata=True)

    assert info.gated == "manual"
    assert info.safetensors is not None and info.safetensors.total > 0
    assert info.siblings is not None
    assert all(sibling.size and sibling.blob_id for sibling in info.siblings)


def test_snapshot_download_brings_all_but_what_is_ignored(tmp_path: Path) -> None:
    folder = Path(api(LICENSED).snapshot_download(LLAMA_70B, ignore_patterns=["original/*"]))

    assert folder.name == api().model_info(LLAMA_70B).sha
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == {
        name for name in api().list_repo_files(LLAMA_70B) if not name.startswith("original/")
    }
    shard = folder / "model-00001-of-00002.safetensors"
    assert sha256(shard.read_bytes()).hexdigest() == shard.resolve().name


def test_a_snapshot_of_a_commit_is_complete_and_verifies(tmp_path: Path) -> None:
    commit = api().model_info(LLAMA_8B).sha
    local = tmp_path / "model"
    api(LICENSED).snapshot_download(LLAMA_8B, revision=commit, local_dir=local)

    assert (local / "original" / "consolidated.00.pth").is_file()
    verified = api(LICENSED).verify_repo_checksums(LLAMA_8B, revision=commit, local_dir=local)
    assert verified.checked_count == len(api().list_repo_files(LLAMA_8B))
    assert not verified.mismatches and not verified.missing_paths


@pytest.mark.parametrize(("token", "status"), [(None, 401), (UNLICENSED, 403)])
def test_a_gated_model_raises_what_the_user_has_to_do(token: str | None, status: int) -> None:
    with pytest.raises(GatedRepoError) as refusal:
        api(token).hf_hub_download(LLAMA_8B, "config.json")

    assert refusal.value.response.status_code == status
    assert f"Access to model {LLAMA_8B} is restricted" in str(refusal.value)
    with pytest.raises(GatedRepoError):
        api(token).auth_check(LLAMA_8B)


def test_the_other_tokens_raise_what_huggingface_co_makes_the_client_raise() -> None:
    with pytest.raises(GatedRepoError, match="awaiting a review from the repo authors"):
        api(WAITING).auth_check(LLAMA_8B)
    with pytest.raises(HfHubHTTPError, match="enable access to public gated repositories") as refusal:
        api(FINE_GRAINED).auth_check(LLAMA_8B)
    assert not isinstance(refusal.value, GatedRepoError)


def test_branches_tags_and_commits_move_as_the_client_moves_them() -> None:
    writer = api(LICENSED)
    first = str(writer.model_info(SMOLLM).sha)
    writer.create_tag(SMOLLM, tag="v1")
    writer.create_branch(SMOLLM, branch="next", revision="v1")
    made = writer.upload_file(path_or_fileobj=b"new", path_in_repo="README.md", repo_id=SMOLLM, revision="next")
    writer.delete_file("generation_config.json", SMOLLM, revision="next")

    assert writer.model_info(SMOLLM).sha == writer.model_info(SMOLLM, revision="v1").sha == first
    second = str(writer.model_info(SMOLLM, revision="next").sha)
    assert len({first, made.oid, second}) == 3
    assert Path(writer.hf_hub_download(SMOLLM, "README.md", revision=second)).read_bytes() == b"new"
    assert not writer.file_exists(SMOLLM, "generation_config.json", revision="next")
    assert writer.file_exists(SMOLLM, "generation_config.json", revision=made.oid)
    assert {tag.name: tag.target_commit for tag in writer.list_repo_refs(SMOLLM).tags} == {"v1": first}
    writer.delete_tag(SMOLLM, tag="v1")
    writer.delete_branch(SMOLLM, branch="next")
    with pytest.raises(RevisionNotFoundError):
        writer.model_info(SMOLLM, revision="next")


def test_a_full_size_model_is_sized_from_its_headers() -> None:
    metadata = api().get_safetensors_metadata("full-size/Llama-3.1-70B-Instruct")

    assert metadata.parameter_count == {"BF16": 70_553_706_496}
    assert len(metadata.files_metadata) == 30


def test_the_accepted_licence_passes_the_check() -> None:
    api(LICENSED).auth_check(LLAMA_8B)
    api().auth_check(SMOLLM)


@pytest.mark.parametrize("token", [None, LICENSED])
def test_a_missing_model_is_not_taken_for_a_gated_one(token: str | None) -> None:
    for ask in (api(token).model_info, api(token).auth_check, api(token).snapshot_download):
        with pytest.raises(RepositoryNotFoundError) as refusal:
            ask("meta-llama/Llama-9-1B")
        assert not isinstance(refusal.value, GatedRepoError)


def test_a_missing_revision_and_a_missing_file_are_told_apart() -> None:
    with pytest.raises(RevisionNotFoundError):
        api().model_info(SMOLLM, revision="v2")
    with pytest.raises(EntryNotFoundError):
        api().hf_hub_download(SMOLLM, "nothing.json")
    with pytest.raises(EntryNotFoundError):
        list(api().list_repo_tree(SMOLLM, "additional_chat_templates"))


def test_a_wrong_token_is_not_taken_for_a_missing_model() -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid credentials in Authorization header") as refusal:
        api(WRONG).model_info(SMOLLM)

    assert not isinstance(refusal.value, RepositoryNotFoundError)


def test_a_renamed_model_is_found_under_its_old_name() -> None:
    assert api().model_info(OLD_NAME).id == LLAMA_8B
    old = api(LICENSED).hf_hub_download(OLD_NAME, "model.safetensors")
    new = api(LICENSED).hf_hub_download(LLAMA_8B, "model.safetensors")
    assert Path(old).read_bytes() == Path(new).read_bytes()


@pytest.mark.parametrize(("model", "shards"), [(LLAMA_8B, 1), (LLAMA_70B, 2)])
def test_the_size_of_a_model_can_be_read_from_its_headers(model: str, shards: int) -> None:
    metadata = api(LICENSED).get_safetensors_metadata(model)

    assert metadata.sharded == (shards > 1)
    assert len(metadata.files_metadata) == shards
    info = api().model_info(model)
    assert info.safetensors is not None
    assert metadata.parameter_count == info.safetensors.parameters


def test_paths_and_refs_and_the_owner_of_a_token() -> None:
    assert [entry.path for entry in api().get_paths_info(LLAMA_8B, ["config.json", "nothing"])] == ["config.json"]
    assert api().list_repo_refs(LLAMA_8B).branches[0].target_commit == api().model_info(LLAMA_8B).sha
    assert api(LICENSED).whoami()["type"] == "user"


def hf(endpoint: str, home: Path, token: str | None, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command `hf` with nothing of the user's own settings."""
    environment = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_COLOR": "1",
        "PATH": os.defpath,
    } | ({"HF_TOKEN": token} if token else {})
    command = [str(Path(sys.executable).with_name("hf")), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_hf_download_excludes_the_original_checkpoint(endpoint: str, tmp_path: Path) -> None:
    done = hf(endpoint, tmp_path, LICENSED, "download", LLAMA_8B, "--exclude", "original/*")

    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.glob("hub/models--*/snapshots/*/**/*")}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
    assert "consolidated.00.pth" not in names


def test_hf_download_without_the_licence_says_that_it_takes_approval(endpoint: str, tmp_path: Path) -> None:
    failed = hf(endpoint, tmp_path, UNLICENSED, "download", LLAMA_8B)

    assert failed.returncode != 0
    assert f"Access denied. Model '{LLAMA_8B}' requires approval." in failed.stdout + failed.stderr
