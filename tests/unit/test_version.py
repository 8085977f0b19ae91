"""The version is one, wherever it is read."""

import re

import pytest

from components.text.user_agent import USER_AGENT
from components.text.version import VERSION
from ops.__main__ import parser
from tests.support.kept_stack import kept_stacks
from tests.support.pulumi_cli import REPOSITORY

HEADING = re.compile(r"^## \[(?P<version>[^]]+)\] - \d{4}-\d{2}-\d{2}$", re.MULTILINE)


def test_the_newest_heading_of_the_changelog_is_this_version() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    first = next(line for line in text.splitlines() if line.startswith("## ") and line != "## [Unreleased]")
    heading = HEADING.match(first)
    assert heading, f"{first!r} has no version and day"
    assert heading["version"] == VERSION


def test_each_version_has_left_a_stack_that_later_ones_take_over() -> None:
    given_out = HEADING.findall((REPOSITORY / "CHANGELOG.md").read_text())
    assert given_out
    assert {f"upgrade-{version}" for version in given_out} <= {kept.name for kept in kept_stacks()}


def test_it_is_a_semantic_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_ops_says_it_without_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"{VERSION}\n"


def test_it_is_what_lambda_and_the_hub_are_told() -> None:
    assert f"pulumi-lambda-vllm/{VERSION}" == USER_AGENT
