"""The environment of every process on a machine: made new, not inherited from who runs the local cloud."""

from collections.abc import Mapping
from pathlib import Path

MARKER = "LOCALCLOUD_INSTANCE"
"""Names the machine in the environment of its processes."""

USER = "ubuntu"

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")
_REGISTRY_ACCESS = {
    *_PROXIES,
    "no_proxy",
    "ssl_cert_file",
    "ssl_cert_dir",
    "requests_ca_bundle",
    "curl_ca_bundle",
    "node_extra_ca_certs",
    "git_ssl_cainfo",
}
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games:/snap/bin"
"""Ubuntu's /etc/environment. As there, only a login shell adds ~/.local/bin."""


def machine_environment(
    instance_id: str, ip: str, disk: Path, temporary: Path, boot_id: str, host: Mapping[str, str]
) -> dict[str, str]:
    """The variables a process of this machine starts with.

    `boot_id` is a new one after each reboot.
    Of `host`, the local cloud's own environment, only what package registries are reached with passes through.
    """
    home = disk / "home" / USER
    return {
        **_registry_access(host, ip),
        "HOME": str(home),
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": f"{disk / 'bin'}:{_SYSTEM_PATH}",
        "XDG_RUNTIME_DIR": str(disk / "run" / "user"),
        "TMPDIR": str(temporary),
        "BIND_ADDRESS": ip,
        # One cache for all machines: a second install hard-links what the first one unpacked.
        "UV_CACHE_DIR": str(_uv_cache(host, disk.parent)),
        # The Python package setproctitle, which vLLM uses, writes titles over the environment unless this is set (its
        # README, "Environment variables"), and the marker could not be read any more.
        "SPT_NOENV": "1",
        MARKER: instance_id,
        # /proc has the computer's own, which no reboot of a machine changes.
        "LOCALCLOUD_BOOT_ID": boot_id,
    }


def _registry_access(host: Mapping[str, str], ip: str) -> dict[str, str]:
    passed = {
        name: value
        for name, value in host.items()
        if name.lower() in _REGISTRY_ACCESS
        or name.startswith("PIP_")
        or (name.startswith("UV_") and "CACHE" not in name)
    }
    if any(name in passed or name.upper() in passed for name in _PROXIES):
        # A proxy knows nothing of this computer's loopback addresses.
        for name in ("no_proxy", "NO_PROXY"):
            passed[name] = ",".join(filter(None, [host.get(name), "localhost", "127.0.0.1", ip]))
    return passed


def _uv_cache(host: Mapping[str, str], machines: Path) -> Path:
    """The cache of this computer's user (uv's documentation, "Caching") if files in it can be linked to the machines.

    Otherwise one beside the machines' disks, since uv copies from another file system: slow, and gigabytes each time.
    """
    if named := host.get("UV_CACHE_DIR"):
        return Path(named).absolute()
    users = (Path(host.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv").absolute()
    nearest = next(folder for folder in (users, *users.parents) if folder.exists())
    return users if nearest.stat().st_dev == machines.stat().st_dev else machines / "uv-cache"
