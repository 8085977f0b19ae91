"""What depends on a release of vLLM holds for the release of every target, also where they are at two versions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.vllm.release import lists
from components.vllm.release.flags import FLAGS, not_taken_by
from components.vllm.release.install.versions import CPU_TARGET, GPU_TARGET, TARGETS, Versions
from components.vllm.server import Setting
from scripts.vllm_release.compare import broken
from scripts.vllm_release.generate import NAMES, ours

OTHER = "0.0.1.of.a.test"


@pytest.fixture
def older_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mapping[str, Any]:
    """The target without a GPU is at a release that does not know one flag and one word of another."""
    flags = {name: dict(entry) for name, entry in FLAGS.items() if name != "max-num-seqs"}
    flags["kv-cache-dtype"]["choices"] = ["auto"]
    for version, document in ((OTHER, flags), (TARGETS[GPU_TARGET].vllm, FLAGS)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "serve.json").write_text(json.dumps({"vllm": version, "flags": document}))
    monkeypatch.setattr(lists, "FOLDER", tmp_path)
    monkeypatch.setitem(TARGETS, CPU_TARGET, Versions(OTHER, "0"))
    return flags


def test_there_are_lists_of_the_releases_that_targets_have_and_of_no_other() -> None:
    folders = {folder.name: folder for folder in lists.FOLDER.iterdir() if folder.is_dir() and folder.name[0].isdigit()}
    assert set(folders) == {versions.vllm for versions in TARGETS.values()}
    for version, folder in folders.items():
        assert {file.stem for file in folder.iterdir()} == set(NAMES)
        assert {lists.of_version(name, version)["vllm"] for name in NAMES} == {version}


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_release_of_a_target_has_every_flag_path_mark_and_name_that_is_relied_on(target: str) -> None:
    assert list(broken({name: lists.generated(name, target) for name in NAMES}, ours())) == []


def test_targets_at_one_version_take_the_same_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, CPU_TARGET, TARGETS[GPU_TARGET])
    given = dict.fromkeys(FLAGS, "auto")
    assert not_taken_by(GPU_TARGET, given) == not_taken_by(CPU_TARGET, given)


def test_flags_that_only_the_newer_release_knows_are_left_out_on_the_other_target(
    older_cpu: Mapping[str, Any],
) -> None:
    given = {"max-num-seqs": 4, "kv-cache-dtype": "fp8", "seed": 1, "served-model-name": ["a", "b"]}
    assert not_taken_by(GPU_TARGET, given) == []
    assert not_taken_by(CPU_TARGET, given) == ["kv-cache-dtype", "max-num-seqs"]
    assert Setting(json.dumps(given), {}, False, "one").unknown_on_cpu == ["kv-cache-dtype", "max-num-seqs"]
    assert not_taken_by(CPU_TARGET, {"kv-cache-dtype": "auto"}) == []
    assert Setting('{"of-neither": 1}', {}, False, "one").unknown_on_cpu == []


def test_another_release_for_cpus_is_another_setting_where_it_takes_other_flags(
    monkeypatch: pytest.MonkeyPatch, older_cpu: Mapping[str, Any]
) -> None:
    touched, same = Setting('{"max-num-seqs": 4}', {}, False, "one"), Setting('{"seed": 4}', {}, False, "one")
    before = touched.key, same.key
    monkeypatch.setitem(TARGETS, CPU_TARGET, TARGETS[GPU_TARGET])
    assert touched.key != before[0]
    assert same.key == before[1]
