"""What the hub is asked before a machine is rented, against the local cloud's hub."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import HfApi

from components.model.hub.checkpoint import Checkpoint
from components.model.hub.client import Hub, HubError, HubUnreachableError
from components.model.hub.connection import RETRY_PAUSES_S
from components.model.hub.files import download_excludes
from components.vllm.release.architectures import unsupported
from components.vllm.release.quantisation import method_of
from tests.support.emulated import EmulatedCloud, emulated_cloud
from tests.support.jumping_clock import JumpingClock

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
LLAMA_70B = "meta-llama/Llama-3.1-70B-Instruct"
OPEN = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedCloud]:
    with emulated_cloud(Path(tmp_path_factory.mktemp("cloud"))) as running:
        yield running


def resolve(cloud: EmulatedCloud, model: str, revision: str = "main", token: str | None = None) -> Checkpoint:
    return Hub(cloud.url, cloud.credentials.hf_token if token is None else token).resolve(model, revision)


def refused(cloud: EmulatedCloud, model: str, revision: str = "main", token: str | None = None) -> str:
    with pytest.raises(HubError) as caught:
        resolve(cloud, model, revision, token)
    assert not isinstance(caught.value, HubUnreachableError)
    (line,) = str(caught.value).splitlines()
    return line


def hf_api(cloud: EmulatedCloud) -> HfApi:
    return HfApi(endpoint=cloud.url, token=cloud.credentials.hf_token)


def test_a_checkpoint_has_all_tensors_of_all_shards_as_the_hubs_own_client_reads_them(cloud: EmulatedCloud) -> None:
    found = resolve(cloud, LLAMA_70B)
    other = hf_api(cloud).get_safetensors_metadata(LLAMA_70B)

    expected = {
        name: (tensor.dtype, tuple(tensor.shape))
        for shard in other.files_metadata.values()
        for name, tensor in shard.tensors.items()
    }
    assert len(other.files_metadata) == 2
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in found.tensors.items()} == expected
    assert found.config["num_hidden_layers"] == 10


def test_what_is_counted_is_what_hf_download_fetches(cloud: EmulatedCloud, tmp_path: Path) -> None:
    found = resolve(cloud, LLAMA)
    excludes = download_excludes(file.path for file in found.files)
    folder = Path(
        hf_api(cloud).snapshot_download(
            LLAMA, revision=found.commit, ignore_patterns=list(excludes), cache_dir=tmp_path / "cache"
        )
    )

    fetched = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert fetched == {file.path: file.size for file in found.files}
    assert sum(fetched.values()) == found.download_bytes
    assert "original/consolidated.00.pth" not in fetched
    assert {file.path for file in found.files if file.sha256} == {"model.safetensors", "tokenizer.json"}


def test_the_70b_is_known_in_full_size_without_its_141_gigabytes(cloud: EmulatedCloud) -> None:
    found = resolve(cloud, "full-size/Llama-3.1-70B-Instruct")

    assert sum(tensor.nbytes for tensor in found.tensors.values()) == 141_107_412_992
    assert len([file for file in found.files if file.path.endswith(".safetensors")]) == 30
    assert 0 < found.download_bytes - 141_107_412_992 < 2_000_000
    assert found.tensors["model.layers.79.mlp.down_proj.weight"].shape == (8192, 28672)
    assert found.config["num_key_value_heads"] == 8
    assert method_of(found.config) is None
    assert unsupported(found.config["architectures"]) is None


def test_the_8b_and_the_fp8_checkpoint_have_the_sizes_of_the_real_ones(cloud: EmulatedCloud) -> None:
    small = resolve(cloud, "full-size/Llama-3.1-8B-Instruct")
    fp8 = resolve(cloud, "full-size/Llama-3.1-70B-Instruct-FP8")

    assert sum(tensor.nbytes for tensor in small.tensors.values()) == 16_060_522_496
    assert round(sum(tensor.nbytes for tensor in fp8.tensors.values()) / 1e9, 1) == 72.7
    assert {tensor.dtype for tensor in fp8.tensors.values()} == {"BF16", "F8_E4M3"}
    assert method_of(fp8.config) == "compressed-tensors"


def test_thirty_shards_cost_one_request_each(cloud: EmulatedCloud) -> None:
    cloud.control("DELETE", "/requests")
    resolve(cloud, "full-size/Llama-3.1-70B-Instruct")

    paths = [urlsplit(request["path"]).path for request in cloud.requests()]
    shards = [path for path in paths if path.endswith(".safetensors")]
    assert len(shards) == len(set(shards)) == 30
    assert len(paths) == 33


def test_a_revision_that_moves_is_another_commit_and_the_old_one_stays(cloud: EmulatedCloud) -> None:
    api = hf_api(cloud)
    before = resolve(cloud, OPEN)
    api.create_tag(OPEN, tag="v1")
    api.upload_file(path_or_fileobj=b'{"new": 1}', path_in_repo="extra.json", repo_id=OPEN)
    after = resolve(cloud, OPEN)

    assert after.commit != before.commit
    assert {file.path for file in after.files} - {file.path for file in before.files} == {"extra.json"}
    assert resolve(cloud, OPEN, "v1") == resolve(cloud, OPEN, before.commit) == before


@pytest.mark.parametrize("asked", ["meta-llama/Meta-Llama-3.1-8B-Instruct", "META-LLAMA/llama-3.1-8b-instruct"])
def test_a_renamed_model_is_followed_to_its_present_name(cloud: EmulatedCloud, asked: str) -> None:
    assert resolve(cloud, asked) == resolve(cloud, LLAMA)
    assert resolve(cloud, asked).model == LLAMA


def test_a_gated_model_without_a_token_says_what_to_accept_and_where_tokens_are(cloud: EmulatedCloud) -> None:
    line = refused(cloud, LLAMA, token="")
    assert f"gated and no token was given: accept its licence at {cloud.url}/{LLAMA}" in line
    assert f"HF_TOKEN to a token from {cloud.url}/settings/tokens" in line


def test_each_token_that_is_not_let_in_gets_its_own_advice(cloud: EmulatedCloud) -> None:
    tokens = cloud.credentials
    licence = refused(cloud, LLAMA, token=tokens.hf_token_without_access)
    review = refused(cloud, LLAMA, token=tokens.hf_token_awaiting_review)
    rights = refused(cloud, LLAMA, token=tokens.hf_token_fine_grained)
    wrong = refused(cloud, LLAMA, token="hf_wrong")

    assert f"accept its licence at {cloud.url}/{LLAMA}" in licence
    assert f"have not answered your request yet: see {cloud.url}/{LLAMA}" in review
    assert (
        f"fine-grained token may not read gated repositories such as {LLAMA}: at {cloud.url}/settings/tokens" in rights
    )
    assert f"the hub refused the token: make a new one at {cloud.url}/settings/tokens" in wrong
    assert not any(token in licence + review + rights + wrong for token in (*tokens.model_dump().values(), "hf_wrong"))


def test_a_token_without_rights_still_opens_what_is_open(cloud: EmulatedCloud) -> None:
    for token in ("", cloud.credentials.hf_token_fine_grained, cloud.credentials.hf_token_awaiting_review):
        assert resolve(cloud, "full-size/Llama-3.1-8B-Instruct", token=token).tensors


def test_a_missing_model_may_be_a_private_one(cloud: EmulatedCloud) -> None:
    assert "does not exist on" in refused(cloud, "a/b")
    assert "or your token cannot see it" in refused(cloud, "a/b")
    assert "model a--b/c does not exist on" in refused(cloud, "a--b/c")
    assert "or it is private and no token was given" in refused(cloud, "a/b", token="")


@pytest.mark.parametrize("revision", ["v9", "refs/pr/1", "f" * 40])
def test_a_missing_revision_is_named(cloud: EmulatedCloud, revision: str) -> None:
    assert f"model {LLAMA} has no revision {revision}: check modelRevision" in refused(cloud, LLAMA, revision)


@pytest.mark.parametrize("kind", ["hub-503", "hub-cut"])
def test_a_hub_that_stumbles_once_is_asked_again_after_a_pause(
    cloud: EmulatedCloud, clock: JumpingClock, kind: str
) -> None:
    cloud.control("POST", "/faults", {"operation": "hub", "kind": kind, "times": 1})
    assert Hub(cloud.url, cloud.credentials.hf_token, clock).resolve(LLAMA, "main").tensors
    assert clock.slept == [RETRY_PAUSES_S[0]]


def test_a_hub_that_limits_is_not_pressed_and_nothing_is_said_of_the_model(cloud: EmulatedCloud) -> None:
    cloud.control("POST", "/faults", {"operation": "hub", "kind": "hub-429", "times": 1})
    cloud.control("DELETE", "/requests")
    with pytest.raises(HubUnreachableError, match="asked too often from here"):
        resolve(cloud, LLAMA)
    assert len(cloud.requests()) == 1
