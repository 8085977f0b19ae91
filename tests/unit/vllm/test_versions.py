"""A version that cannot be had, or is known to be bad, is refused by name before anything is created."""

from typing import Any

import pytest

from components.settings import Settings
from components.vllm.versions import PINNED_VLLM, check_versions, drains


def lines(**keys: Any) -> list[str]:
    return check_versions(Settings.model_validate({"lambdaApiKey": "x", **keys}))


def test_the_pinned_version_is_the_default_of_every_way_to_install() -> None:
    for install in ("wheel", "precompiled", "source"):
        assert lines(install=install) == []
        assert lines(install=install, vllmVersion=PINNED_VLLM) == []


@pytest.mark.parametrize("version", ["0.26.0", "0.27.1"])
def test_releases_that_ignore_offload_are_refused_by_name_where_offload_may_be_needed(version: str) -> None:
    for offload in ("auto", 60):
        (line,) = lines(install="source", vllmVersion=version, cpuOffloadGb=offload)
        assert f"vLLM {version} ignores --cpu-offload-gb" in line


def test_a_version_without_a_lock_file_is_refused_with_those_that_can_be_had() -> None:
    (line,) = lines(vllmVersion="0.19.1")
    assert PINNED_VLLM in line
    (line,) = lines(install="source", vllmVersion="0.30.0")
    assert "0.19.1" in line
    for install in ("source", "precompiled"):
        assert lines(install=install, vllmVersion="0.19.1") == []
    (line,) = lines(install="precompiled", vllmVersion="0.6.3.post1")
    assert "not pinned for install: precompiled" in line


def test_a_version_that_does_not_know_an_automatic_context_wants_a_number() -> None:
    (line,) = lines(install="source", vllmVersion="0.6.3.post1")
    assert "maxModelLen" in line
    assert lines(install="source", vllmVersion="0.6.3.post1", maxModelLen=8192) == []


@pytest.mark.parametrize(
    ("version", "expected"), [(None, True), ("0.33.0", True), ("0.19.1", True), ("0.6.3.post1", False)]
)
def test_a_version_that_cannot_wait_for_its_requests_is_not_told_to(version: str | None, expected: bool) -> None:
    assert drains(Settings.model_validate({"lambdaApiKey": "x", "vllmVersion": version})) is expected
