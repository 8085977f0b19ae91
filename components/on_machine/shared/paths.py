"""Where things are on a machine, below the home of its user.

~/.local/share/lambda-vllm/     programs, logs, jobs
    releases/HASH/              these programs, as they came in one archive
    release                     link to the one that is begun from now on
    jobs/                       long work: state, progress, log, result
    venvs/, installs/, venv     environments, links to them by what is installed, and the last one
    manifest.json               what is on this machine
~/.config/lambda-vllm/          settings and secrets; 0700, secrets in files 0600
"""

from dataclasses import dataclass
from pathlib import Path

BASE = ".local/share/lambda-vllm"
SETTINGS = ".config/lambda-vllm"
RELEASES = f"{BASE}/releases"
RELEASE = f"{BASE}/release"
UNIT = "lambda-vllm.service"
"""The user unit of the server, for systemd."""
CONFIG, SETTING = "vllm.yaml", "setting.json"
"""In the folder of a generation: the server's flags, and what else there is to it."""
ROOT = Path(__file__).parents[3]
"""The folder of the release that this is a part of: what Python has to look in for `components`."""


@dataclass(frozen=True)
class Places:
    """The same of one home directory. Of `Path()`, it says where they are seen from whichever home."""

    home: Path

    @property
    def base(self) -> Path:
        return self.home / BASE

    @property
    def settings(self) -> Path:
        return self.home / SETTINGS

    @property
    def jobs(self) -> Path:
        return self.base / "jobs"

    @property
    def logs(self) -> Path:
        return self.base / "logs"

    @property
    def log(self) -> Path:
        """Of the server, since its last start."""
        return self.logs / "vllm.log"

    @property
    def service_state(self) -> Path:
        return self.base / "service.json"

    @property
    def timeline(self) -> Path:
        """Every start of the server."""
        return self.base / "timeline.jsonl"

    @property
    def manifest(self) -> Path:
        return self.base / "manifest.json"

    @property
    def venvs(self) -> Path:
        return self.base / "venvs"

    @property
    def venv(self) -> Path:
        """Link to the environment that was installed last."""
        return self.base / "venv"

    @property
    def installs(self) -> Path:
        """Links to environments, by the key of what is in them."""
        return self.base / "installs"

    @property
    def generations(self) -> Path:
        return self.settings / "generations"

    @property
    def current(self) -> Path:
        """Link to the generation that is started next."""
        return self.settings / "current"

    @property
    def last_known_good(self) -> Path:
        """Link to the generation that served last."""
        return self.settings / "last-known-good"

    @property
    def cuda_environment(self) -> Path:
        """JSON: variables of everything that computes here. Missing where none is needed."""
        return self.base / "cuda.json"

    @property
    def cache(self) -> Path:
        """Names the folder, on a filesystem that outlives the machine, where caches are. Missing without one."""
        return self.settings / "cache"

    @property
    def hub_home(self) -> Path:
        """What huggingface_hub calls HF_HOME, where no cache folder is named."""
        return self.home / ".cache/huggingface"

    @property
    def hub_token(self) -> Path:
        return self.settings / "hf-token"

    @property
    def api_keys(self) -> Path:
        return self.settings / "api-keys"

    @property
    def log_megabytes(self) -> Path:
        return self.settings / "log-megabytes"

    @property
    def certificate(self) -> Path:
        return self.settings / "tls.pem"

    @property
    def authority(self) -> Path:
        return self.settings / "ca.pem"


def places() -> Places:
    """Of whoever runs this."""
    return Places(Path.home())
