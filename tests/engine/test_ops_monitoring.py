"""A real Prometheus reads a server with the files that `python -m ops monitoring` writes."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.monitoring import DASHBOARD, prometheus_config
from tests.support.ops_stack import stack_with
from tests.support.prometheus import NoPrometheusError, expressions, programs, prometheus
from tests.support.small_openai import KEY, SmallServer, small_server


@pytest.fixture(scope="module", autouse=True)
def has_prometheus() -> None:
    try:
        programs()
    except NoPrometheusError as error:
        pytest.skip(str(error))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmallServer]:
    with small_server("127.0.0.1", tmp_path) as made:
        yield made


def written(folder: Path, server: SmallServer, **more: Any) -> Path:
    """The configuration that the command writes for a stack."""
    outputs = {"endpoint": server.endpoint, "ca_certificate": server.ca, **more}
    stack = stack_with(folder, outputs, {"api_key": KEY})
    done = asyncio.run(stack.ops("monitoring", "--folder", str(folder / "monitoring")))
    assert done.status == 0, done.errors
    assert done.output == f"prometheus --config.file {folder / 'monitoring/prometheus.yml'}\n"
    return folder / "monitoring/prometheus.yml"


def promtool(config: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [programs() / "promtool", "check", "config", config], capture_output=True, text=True, check=False
    )


def quickly(config: Path) -> Path:
    """The same with more reads, for a test."""
    config.write_text(config.read_text().replace("scrape_interval: 15s", "scrape_interval: 1s"))
    return config


def test_promtool_finds_nothing_wrong_with_what_is_written_and_all_of_it_is_the_owners(
    tmp_path: Path, server: SmallServer
) -> None:
    config = written(tmp_path, server)
    checked = promtool(config)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert {file.name for file in config.parent.iterdir()} == {
        ".gitignore", "api-key", "ca.pem", "dashboard.json", "prometheus.yml",
    }  # fmt: skip
    assert {file.stat().st_mode & 0o777 for file in config.parent.iterdir()} == {0o600}
    assert config.parent.stat().st_mode & 0o777 == 0o700


def test_promtool_finds_nothing_wrong_without_tls(tmp_path: Path) -> None:
    (tmp_path / "api-key").write_text(KEY)
    (tmp_path / "prometheus.yml").write_text(prometheus_config("127.0.0.1:8000", tls=False))
    checked = promtool(tmp_path / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_prometheus_reads_the_server_with_key_and_ca_and_knows_every_expression_of_the_dashboard(
    tmp_path: Path, server: SmallServer
) -> None:
    with prometheus(quickly(written(tmp_path, server)), tmp_path) as running:
        running.wait_until_read(times=2)
        running.wait_for("health", "up")
        assert running.get("query", query="vllm:generation_tokens_total")["result"][0]["value"][1] == "248"
        for expression in expressions(DASHBOARD):
            assert running.get("query", query=expression)["resultType"] == "vector"


@pytest.mark.parametrize(("file", "why"), [("api-key", "401"), ("ca.pem", "certificate")])
def test_with_another_key_or_ca_it_reads_nothing(tmp_path: Path, server: SmallServer, file: str, why: str) -> None:
    config = written(tmp_path, server)
    (tmp_path / "other").mkdir()
    with small_server("127.0.0.1", tmp_path / "other") as other:
        (config.parent / file).write_text("sk-another-key" if file == "api-key" else other.ca)
    with prometheus(quickly(config), tmp_path) as running:
        running.wait_for("lastError", why)
        assert running.get("query", query="vllm:generation_tokens_total")["result"] == []
