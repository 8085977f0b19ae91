"""Where the local stack keeps its things, and how it is called."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV_BIN = ROOT / ".venv" / "bin"
TOOLS_BIN = ROOT / ".tools" / "bin"
PULUMI_HOME = ROOT / ".tools" / "pulumi-home"
LOCAL = ROOT / ".local"
CLOUD_STATE = LOCAL / "cloud"
PULUMI_STATE = LOCAL / "pulumi-state"
# Without the sidecar files that Pulumi writes beside its state otherwise: a kill in that moment leaves one empty, and
# Pulumi then reads no state at all («failed to load checkpoint: EOF»).
BACKEND_URL = f"file://{PULUMI_STATE}?metadata=skip"
ENVIRONMENT_FILE = LOCAL / "env"
COMPLETED_ONCE = LOCAL / "completed-once"
"""There after the first `make local` that came to its end: what it downloads is in the caches."""

STACK = "local"
PORT = 8600
"""Also in Pulumi.local.yaml, as part of `apiUrl` and `hfEndpoint`."""
