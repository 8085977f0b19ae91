"""Weights that were to be kept in the machine's memory are there, or the server is refused."""

import json
from pathlib import Path

import pytest

from components.vllm.scripts.generations import Generation
from components.vllm.scripts.probe import NotReadyError
from components.vllm.scripts.supervise import check_offload


def generation(folder: Path, offload: float | None) -> Generation:
    config = {"model": "a/b", **({} if offload is None else {"cpu-offload-gb": offload})}
    (folder / "vllm.yaml").write_text(json.dumps(config))
    return Generation("key", folder)


def test_offload_that_was_asked_for_and_is_not_in_the_log_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match=r"52\.5 GiB of weights .* set cpuOffloadGb to 0"):
        check_offload(generation(tmp_path, 52.5), 0, has_gpu=True)


@pytest.mark.parametrize(
    ("offload", "found", "has_gpu"), [(52, 52.16, True), (None, 0, True), (0, 0, True), (52, 0, False)]
)
def test_offload_that_took_effect_or_was_not_asked_for_is_fine(
    tmp_path: Path, offload: float | None, found: float, has_gpu: bool
) -> None:
    check_offload(generation(tmp_path, offload), found, has_gpu=has_gpu)
