"""The example of a Prometheus and the dashboard."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.errors import OpsError
from ops.metrics import read_metrics
from ops.monitoring import DASHBOARD, monitoring, prometheus_config
from ops.outputs import StackOutputs

READY = StackOutputs({"endpoint": "http://127.0.0.1:1/v1", "api_key": "sk-key"})
EXAMPLE = DASHBOARD.with_name("prometheus.yml")
METRICS = Path(__file__).parents[2] / "support/metrics.txt"


def panels() -> list[dict[str, Any]]:
    return list(json.loads(DASHBOARD.read_text())["panels"])


def test_the_example_is_what_the_command_writes() -> None:
    assert EXAMPLE.read_text() == prometheus_config("203.0.113.7:8000", tls=True)


def test_a_folder_with_other_files_in_it_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / ".gitignore"
    other.write_text("keep\n")
    with pytest.raises(OpsError, match="holds other files, which would be replaced"):
        monitoring(READY, tmp_path)
    assert other.read_text() == "keep\n"
    own = tmp_path / "own"
    for _ in range(2):
        assert monitoring(READY, own) == 0


def test_without_tls_there_is_no_ca_to_look_for() -> None:
    (job,) = yaml.safe_load(prometheus_config("127.0.0.1:8000", tls=False))["scrape_configs"]
    assert "tls_config" not in job
    assert "scheme" not in job
    assert job["authorization"] == {"credentials_file": "api-key"}


def test_every_panel_asks_the_datasource_that_is_chosen_for_the_model_that_is_chosen() -> None:
    for panel in panels():
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert 'model_name=~"$model"' in target["expr"]


def test_the_dashboard_names_only_what_the_server_counts() -> None:
    known = read_metrics(METRICS.read_text()).names
    named = set(re.findall(r"vllm:\w+", " ".join(t["expr"] for panel in panels() for t in panel["targets"])))
    assert named
    assert named <= known


def test_panels_do_not_lie_on_each_other() -> None:
    places = [tuple(panel["gridPos"][side] for side in "xy") for panel in panels()]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in panels()})
