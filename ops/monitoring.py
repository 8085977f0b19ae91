"""`monitoring`: what Prometheus needs to read the server's figures, and a dashboard for them."""

from pathlib import Path

from components.machine.ssh_tunnel import LOOPBACK
from components.on_machine.shared.files import replace_file
from components.vllm.endpoint_check.probe import takes_connection
from ops.errors import OpsError
from ops.outputs import StackOutputs
from ops.say import say
from ops.server import KNOCK_S

DASHBOARD = Path(__file__).resolve().parents[1] / "examples/monitoring/dashboard.json"
TLS = """\
    scheme: https
    tls_config:
      # The stack's own CA and no other.
      ca_file: ca.pem
"""
PROMETHEUS = """\
# Reads a model server's figures with its key; files are looked for beside this one.
global:
  scrape_interval: 15s

scrape_configs:
  - job_name: vllm
    metrics_path: /metrics
{tls}    authorization:
      # Bearer; the key alone, in a file that nobody else may read.
      credentials_file: api-key
    static_configs:
      - targets: ["{target}"]
"""


def monitoring(outputs: StackOutputs, folder: Path) -> int:
    """Write prometheus.yml, the key, the CA and the dashboard, readable for their owner only."""
    target = f"{outputs.host}:{outputs.port}"
    if not takes_connection(outputs.host, outputs.port, KNOCK_S):
        say(
            f"{target} cannot be reached from here: keep `python -m ops tunnel --port {outputs.port}` running beside it"
        )
        target = f"{LOOPBACK}:{outputs.port}"
    files = {
        # They hold the key: nothing in the folder is for a repository.
        ".gitignore": "*\n",
        "prometheus.yml": prometheus_config(target, tls=outputs.ca_certificate is not None),
        "api-key": outputs.api_key,
        "dashboard.json": DASHBOARD.read_text(encoding="utf-8"),
    }
    if outputs.ca_certificate:
        files["ca.pem"] = outputs.ca_certificate
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / "api-key").exists():
            raise OpsError(
                f"{folder} holds other files, which would be replaced: name a folder of its own with --folder"
            )
        for name, text in files.items():
            replace_file(folder / name, text)
    except OSError as error:
        raise OpsError(f"cannot write into {folder}: {error.strerror}") from None
    print(f"prometheus --config.file {folder / 'prometheus.yml'}")
    say(f"import {folder / 'dashboard.json'} into Grafana")
    return 0


def prometheus_config(target: str, *, tls: bool) -> str:
    """Configuration of a Prometheus that reads HOST:PORT."""
    return PROMETHEUS.format(target=target, tls=TLS if tls else "")
