"""Set-up: what Pulumi says of its plugins decides."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.tools import proof
from scripts.tools.checkout import Checkout
from scripts.tools.step import ToolMissingError
from tests.unit.scripts.conftest import executable


def plugin(version: str, name: str = "command", size: int = 1) -> dict[str, Any]:
    return {"name": name, "kind": "resource", "version": version, "size": size}


class Pulumi:
    """Stands for the CLI: every preview succeeds, and these plugins are listed."""

    def __init__(self, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plugins: list[dict[str, Any]] = []
        self.previews = 0
        self.folder = executable(checkout.bin / "pulumi").parent
        executable(checkout.python)
        executable(checkout.pulumi_home / "plugins" / "resource-command-v1.2.1" / "pulumi-resource-command")
        monkeypatch.setattr("scripts.tools.step.Step.run", self.run)
        monkeypatch.setattr(proof, "said", lambda *_: json.dumps(self.plugins))

    def run(self, *argv: str | Path, **_: object) -> None:
        self.previews += "preview" in argv


@pytest.fixture
def pulumi(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Pulumi:
    return Pulumi(checkout, monkeypatch)


def test_plugin_that_pulumi_lists_is_enough_whatever_else_it_lists(checkout: Checkout, pulumi: Pulumi) -> None:
    pulumi.plugins = [plugin("1.3.0"), plugin("1.2.1"), plugin("9.0.0", "random")]
    proof.prove(checkout, pulumi.folder)
    assert pulumi.previews == 1


@pytest.mark.parametrize(
    "plugins", [[], [plugin("1.2.0")], [plugin("1.2.1", "random")], [plugin("1.2.1", size=0)]], ids=str
)
def test_plugin_that_pulumi_does_not_list_ends_set_up_in_one_line(
    checkout: Checkout, pulumi: Pulumi, plugins: list[dict[str, Any]]
) -> None:
    pulumi.plugins = plugins
    with pytest.raises(ToolMissingError, match=r"^Pulumi does not know the plugin command 1\.2\.1.*run this again$"):
        proof.prove(checkout, pulumi.folder)
    assert not (checkout.tools / "proved").exists()


def test_tools_are_tried_again_when_one_of_them_has_changed(checkout: Checkout, pulumi: Pulumi) -> None:
    pulumi.plugins = [plugin("1.2.1")]
    for _ in range(2):
        proof.prove(checkout, pulumi.folder)
    assert pulumi.previews == 1

    executable(pulumi.folder / "pulumi", "#!/bin/sh\n# another\n")
    proof.prove(checkout, pulumi.folder)
    assert pulumi.previews == 2
