"""Weights that were to be kept in the machine's memory are there, or the server is refused."""

import json
from pathlib import Path

import pytest

from components.on_machine.service.generations import Generation
from components.on_machine.service.probe import NotReadyError
from components.on_machine.service.stages import Stages
from components.on_machine.service.supervise import check_offload


def generation(folder: Path, offload: float | None, **flags: object) -> Generation:
    more = {name.replace("_", "-"): value for name, value in flags.items()}
    config = {"model": "a/b", **({} if offload is None else {"cpu-offload-gb": offload}), **more}
    (folder / "vllm.yaml").write_text(json.dumps(config))
    return Generation("key", folder)


def log(offloaded: float, line: str = "Model loading took 15.0 GiB memory and 9.81 seconds") -> Stages:
    stages = Stages()
    stages.feed(f"{line}\n".encode())
    if offloaded:
        stages.feed(f"Total CPU offloaded parameters: {offloaded}\n".encode())
    return stages


def test_offload_that_was_asked_for_and_is_not_in_the_log_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match=r"52\.5 GiB of weights .* set `VLLM_USE_V2_MODEL_RUNNER: 0` in vllmEnv"):
        check_offload(generation(tmp_path, 52.5), log(0), has_gpu=True)


@pytest.mark.parametrize(
    ("offload", "found", "has_gpu"), [(52, 52.16, True), (None, 0, True), (0, 0, True), (52, 0, False)]
)
def test_offload_that_took_effect_or_was_not_asked_for_is_fine(
    tmp_path: Path, offload: float | None, found: float, has_gpu: bool
) -> None:
    check_offload(generation(tmp_path, offload), log(found), has_gpu=has_gpu)


def test_a_log_without_lines_of_information_is_no_proof_against_the_server(tmp_path: Path) -> None:
    """As with `log-level: warning` in vllmArgs, or VLLM_LOGGING_LEVEL=WARNING in vllmEnv."""
    check_offload(generation(tmp_path, 52.5), log(0, "INFO:     Application startup complete."), has_gpu=True)


@pytest.mark.parametrize("flags", [{"offload_group_size": 5}, {"offload_backend": "prefetch"}])
def test_the_other_backend_which_logs_nothing_of_it_is_let_be(tmp_path: Path, flags: dict[str, object]) -> None:
    check_offload(generation(tmp_path, 52.5, **flags), log(0), has_gpu=True)
    with pytest.raises(NotReadyError):
        check_offload(generation(tmp_path, 52.5, **flags | {"offload_backend": "uva"}), log(0), has_gpu=True)
