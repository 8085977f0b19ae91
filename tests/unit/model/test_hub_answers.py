"""What is made of a hub's unusual answers: refusals, strange weights, proxies, redirects."""

import json
import os
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import hf_raise_for_status
from huggingface_hub.errors import RepositoryNotFoundError

from components.model.hub import connection, library
from components.model.hub.checkpoint import Checkpoint
from components.model.hub.client import Hub, HubError, HubUnreachableError
from components.model.hub.errors import Asked
from components.model.hub.errors import refusal as refused
from components.model.hub.headers import FIRST_READ
from components.text.user_agent import USER_AGENT
from components.vllm.release.quantisation import method_of
from tests.support.models.quantised import NVFP4
from tests.support.models.small_hub import (
    COMMIT,
    CONFIG,
    INFO,
    MODEL,
    WEIGHTS,
    Reply,
    SmallHub,
    path_of,
    safetensors,
    small_hub,
)
from tests.support.pulumi_cli import REPOSITORY

TOKEN = "hf_secret"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    monkeypatch.setattr(connection, "RETRY_PAUSES_S", (0.0, 0.0))
    with small_hub() as running:
        yield running


def resolve(hub: SmallHub, token: str = TOKEN) -> Checkpoint:
    return Hub(hub.url, token).resolve(MODEL, "main")


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


def test_nobody_listening_is_a_passing_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRY_PAUSES_S", ())
    with pytest.raises(HubUnreachableError, match=r"cannot reach the hub at http://127\.0\.0\.1:1 \(ConnectError\)"):
        Hub("http://127.0.0.1:1/", TOKEN).resolve(MODEL, "main")


def test_a_hub_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRY_PAUSES_S", ())
    monkeypatch.setattr(library, "READ_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(HubUnreachableError, match=rf"cannot reach the hub at {url} \(ReadTimeout\)"):
            Hub(url, TOKEN).resolve(MODEL, "main")


@pytest.mark.parametrize("url", ["http://[::1", "http://hub:port", "hub", "ftp://hub", "http://"])
def test_what_is_no_url_of_a_hub_is_told_and_no_traceback(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRY_PAUSES_S", ())
    with pytest.raises(HubUnreachableError, match=r"cannot reach the hub at .*: check hfEndpoint$"):
        Hub(url, TOKEN).resolve(MODEL, "main")


def test_a_proxy_is_named_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRY_PAUSES_S", ())
    monkeypatch.setenv("http_proxy", "http://user:hf_secret@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(HubUnreachableError, match=r"ConnectError\): check hfEndpoint and the proxy settings$"):
        Hub("http://hub.invalid", TOKEN).resolve(MODEL, "main")


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


@pytest.mark.parametrize("own", [{}, {"HF_HUB_OFFLINE": "1", "HF_DEBUG": "1", "HF_TOKEN": "hf_of_the_user"}])
def test_nothing_of_the_users_own_hub_settings_is_used_and_nothing_is_kept(
    hub: SmallHub, tmp_path: Path, own: dict[str, str]
) -> None:
    """In a process of its own: the library reads its settings when it is loaded, and asks on its own account once."""
    (tmp_path / "token").write_text("hf_of_the_user")
    homes = dict.fromkeys(("HOME", "HF_HOME", "XDG_CACHE_HOME"), str(tmp_path))
    command = f"from components.model.hub.client import Hub; Hub({hub.url!r}, '').resolve({MODEL!r}, 'main')"
    with small_hub() as other:
        done = subprocess.run(
            [sys.executable, "-c", command],
            env={**os.environ, **own, **homes, "HF_ENDPOINT": other.url, "SSL_CERT_FILE": str(tmp_path / "no.pem")},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert other.requests == []
    assert {headers["User-Agent"] for _, headers in hub.requests} == {USER_AGENT}
    assert not any("Authorization" in headers for _, headers in hub.requests)
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_the_library_is_loaded_by_the_first_question_and_not_before() -> None:
    command = "import sys, components.vllm.preflight.__main__; print({'huggingface_hub', 'httpx2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_question_loads_of_the_library_its_connection_and_none_of_its_services(hub: SmallHub) -> None:
    resolved = f"from components.model.hub.client import Hub; Hub({hub.url!r}, '').resolve({MODEL!r}, 'main')"
    command = f"{resolved}; import sys; print('httpx2' in sys.modules, 'huggingface_hub.hf_api' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


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


@pytest.mark.parametrize("ignores_ranges", [False, True])
@pytest.mark.parametrize("padding", [0, FIRST_READ])
def test_a_header_of_any_length_is_read_whole(hub: SmallHub, padding: int, ignores_ranges: bool) -> None:
    hub.files["model.safetensors"] = safetensors({"w": ("F32", [5], 20)}, note="x" * padding)
    hub.ignores_ranges = ignores_ranges
    assert resolve(hub).tensors["w"].nbytes == 20
    assert hub.asked[path_of("model.safetensors")] == (2 if padding else 1)


def test_a_server_that_ignores_ranges_is_cut_off_long_before_the_end_of_the_file(hub: SmallHub) -> None:
    size = 2 * 2**30
    hub.files["model.safetensors"] = safetensors({"w": ("U8", [size], size)}, is_whole=False)
    hub.zeros_after["model.safetensors"] = size
    hub.ignores_ranges = True
    assert resolve(hub).tensors["w"].nbytes == size
    # What lies in the buffers of both sides was sent for nothing.
    assert hub.zeros_sent < 64 * 2**20


def header_of(text: bytes, data: int = 0) -> bytes:
    return struct.pack("<Q", len(text)) + text + bytes(data)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is too short"),
        (b"abc", "it is too short"),
        (struct.pack("<Q", 2**62) + b"{}", "it announces a header of 4611686018427387904 bytes"),
        (struct.pack("<Q", 100) + b"{}", "it announces a header of 100 bytes"),
        (header_of(b"no json"), "its header is damaged"),
        (header_of(b"[1]"), "its header is damaged"),
        (header_of(b"[" * 100_000), "its header is damaged"),
        (header_of(b'{"w": {"dtype": "BF16"}}'), "its header is damaged"),
        (header_of(b'{"w": {"dtype": "BF16", "shape": [-2], "data_offsets": [0, -4]}}'), "its header is damaged"),
        (header_of(b'{"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 8]}}', 8), "its header is damaged"),
        (header_of(b'{"w": {"dtype": "F2", "shape": [4], "data_offsets": [0, 1]}}', 1), "its tensors are of type F2"),
        (WEIGHTS[:-1], "do not match"),
        (WEIGHTS + b"x", "do not match"),
    ],
)
def test_damaged_weights_are_told_before_they_are_downloaded(hub: SmallHub, content: bytes, told: str) -> None:
    hub.files["model.safetensors"] = content
    line = str(error(hub))
    assert line.startswith("model.safetensors cannot be read as safetensors: ")
    assert told in line


def test_a_header_longer_than_any_real_one_is_not_fetched(hub: SmallHub) -> None:
    hub.files["model.safetensors"] = struct.pack("<Q", 25_000_001) + bytes(25_000_001)
    assert "it announces a header of 25000001 bytes" in str(error(hub))
    assert hub.asked[path_of("model.safetensors")] == 1


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"model-Q4.gguf": b"x", "config.json": CONFIG}, "holds GGUF files only"),
        ({"model-Q4.gguf": b"x"}, "set `model` to the repository they were made from"),
        ({"adapter_config.json": b"{}", "adapter_model.safetensors": WEIGHTS}, "is an adapter (LoRA), not a model"),
        ({"adapter_config.json": b"{}", "adapter_model.bin": b"x"}, "is an adapter (LoRA), not a model"),
        ({"model.safetensors": WEIGHTS}, "has no config.json"),
        ({"pytorch_model.bin": b"x"}, "has no config.json"),
        ({"config.json": CONFIG, "weights.pth": b"x"}, "has its weights as .pth"),
        ({"config.json": CONFIG, "training_args.bin": b"x"}, "has no weights"),
        ({"README.md": b"x"}, "has no weights"),
    ],
)
def test_a_repository_that_cannot_be_served_says_what_is_there(
    hub: SmallHub, files: dict[str, bytes], told: str
) -> None:
    hub.files = files
    line = str(error(hub))
    assert told in line
    assert f"{hub.url}/{MODEL}/tree/{COMMIT}" in line


def test_weights_without_headers_leave_the_sizes_of_the_files(hub: SmallHub) -> None:
    hub.files = {"config.json": CONFIG, "pytorch_model.bin": bytes(1000)}
    found = resolve(hub)
    assert found.tensors == {}
    assert found.download_bytes == 1000 + len(CONFIG)


def test_the_same_weights_in_other_forms_are_not_downloaded(hub: SmallHub) -> None:
    twice = ("pytorch_model.bin", "consolidated.safetensors", "params.json", "original/a.pth", "onnx/m.onnx", "a.gguf")
    hub.files |= dict.fromkeys(twice, b"x")
    found = resolve(hub)
    assert {file.path for file in found.files} == {"config.json", "model.safetensors"}
    assert set(found.tensors) == {"w"}


def test_weights_in_mistrals_form_alone_are_kept(hub: SmallHub) -> None:
    hub.files = {"config.json": CONFIG, "consolidated.safetensors": WEIGHTS, "params.json": b"{}", "old.bin": b"x"}
    found = resolve(hub)
    assert {file.path for file in found.files} == {"config.json", "consolidated.safetensors", "params.json"}
    assert set(found.tensors) == {"w"}


def test_only_the_shards_of_the_index_are_read(hub: SmallHub) -> None:
    other = safetensors({"v": ("F16", [1], 2)})
    hub.files = {"config.json": CONFIG, "a.safetensors": WEIGHTS, "b.safetensors": other, "c.safetensors": other}
    hub.files[INDEX] = json.dumps({"weight_map": {"w": "a.safetensors"}}).encode()
    assert set(resolve(hub).tensors) == {"w"}
    del hub.files[INDEX]
    assert set(resolve(hub).tensors) == {"w", "v"}


def test_the_quantisation_of_modelopt_is_found_in_its_own_file(hub: SmallHub) -> None:
    said = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4"}}
    hub.files["hf_quant_config.json"] = json.dumps(said).encode()
    assert method_of(resolve(hub).config) == "modelopt_fp4"
    assert hub.asked[path_of("hf_quant_config.json")] == 1


def test_the_file_of_modelopt_is_not_asked_for_where_config_json_says_it_all(hub: SmallHub) -> None:
    hub.files["hf_quant_config.json"] = b"{}"
    hub.files["config.json"] = json.dumps({**json.loads(CONFIG), "quantization_config": NVFP4}).encode()
    assert method_of(resolve(hub).config) == "compressed-tensors"
    assert hub.asked[path_of("hf_quant_config.json")] == 0
