"""What is read of a repository's weights: headers of any kind, forms, shards, quantisation."""

import json
import struct

import pytest

from components.model.hub.headers import FIRST_READ
from components.vllm.release.quantisation import method_of
from tests.support.models.hub_answers import INDEX, error, resolve
from tests.support.models.quantised import NVFP4
from tests.support.models.small_hub import (
    COMMIT,
    CONFIG,
    MODEL,
    WEIGHTS,
    SmallHub,
    path_of,
    safetensors,
)


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
