"""Putting the stand-in under a PULUMI_HOME."""

import os
from pathlib import Path

import pytest

from scripts.command_plugin.__main__ import main
from scripts.command_plugin.install import OfficialPluginError, install


def test_plugin_is_an_executable_where_the_engine_looks_for_1_2_1(tmp_path: Path) -> None:
    executable = install(tmp_path, Path("/venv/bin/python"), Path("/a project"))
    assert executable == tmp_path / "plugins/resource-command-v1.2.1/pulumi-resource-command"
    assert os.access(executable, os.X_OK)
    script = executable.read_text()
    assert script.startswith("#!/bin/sh\n")
    assert 'exec /venv/bin/python -m scripts.command_plugin "$@"' in script
    assert "PYTHONPATH='/a project'" in script


def test_interpreter_of_a_virtual_environment_is_not_resolved_away(tmp_path: Path) -> None:
    python = tmp_path / "venv-python"
    python.symlink_to("/usr/bin/env")
    assert f"exec {python} " in install(tmp_path, python, tmp_path).read_text()


def test_installing_again_is_fine(tmp_path: Path) -> None:
    assert install(tmp_path, Path("/one")) == install(tmp_path, Path("/two"))


def test_official_plugin_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    official = tmp_path / "plugins/resource-command-v1.2.1/pulumi-resource-command"
    official.parent.mkdir(parents=True)
    official.write_bytes(b"\x7fELF")
    with pytest.raises(OfficialPluginError):
        install(tmp_path, Path("/python"))
    assert official.read_bytes() == b"\x7fELF"
    assert main(["install", "--home", str(tmp_path)]) == 1
    assert "is the official plugin" in capsys.readouterr().err


def test_install_prints_the_path_of_the_executable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--home", str(tmp_path)]) == 0
    assert Path(capsys.readouterr().out.strip()).exists()
