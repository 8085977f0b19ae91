"""How this computer reaches package registries and names, carried over to a machine.

A machine has its own files and its own environment. Behind a proxy, or with a certificate authority or a package index
of its own, this computer has settings for them that a machine needs too.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian has all certificate authorities in one file."""

_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"}
_BUNDLES = {
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
}


@dataclass(frozen=True)
class CarriedFile:
    """A file of a machine, and who may read it."""

    path: str
    content: bytes
    mode: int = 0o644


def access_environment(host: Mapping[str, str]) -> dict[str, str]:
    """The variables with which registries are reached, fit for a machine.

    Certificates are where the machine has them. What names another file or folder of this computer is left out, and so
    are caches.
    """
    environment = {"SSL_CERT_FILE": BUNDLE}
    for name, value in host.items():
        if name in _BUNDLES:
            environment[name] = BUNDLE
        elif "\n" not in value and not value.startswith(("/", "~")) and _is_access(name):
            environment[name] = value
    return environment


def _is_access(name: str) -> bool:
    of_tools = name.startswith(("PIP_", "UV_")) and "CACHE" not in name
    return of_tools or name.lower() in _PROXIES


def carried_files(host: Mapping[str, str]) -> Iterator[CarriedFile]:
    """All files that a machine gets of this computer's settings."""
    yield from _environment_files(access_environment(host))
    bundle = Path(host.get("SSL_CERT_FILE") or BUNDLE)
    if bundle.is_file():
        yield CarriedFile(BUNDLE, bundle.read_bytes())
    yield CarriedFile("/etc/resolv.conf", _resolver().read_bytes())
    home = Path(host.get("HOME") or Path.home())
    settings = Path(host.get("XDG_CONFIG_HOME") or home / ".config")
    # pip reads /etc/pip.conf after the other one, so that the settings of this computer's user win there too.
    yield from _first("/etc/xdg/pip/pip.conf", Path("/etc/pip.conf"))
    yield from _first("/etc/pip.conf", settings / "pip" / "pip.conf", home / ".pip" / "pip.conf")
    yield from _first("/etc/uv/uv.toml", settings / "uv" / "uv.toml", Path("/etc/uv/uv.toml"))


def _environment_files(environment: Mapping[str, str]) -> Iterator[CarriedFile]:
    """For sessions, for units of users and of the system, and for sudo."""
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    # systemd reads backslashes, quotes and dollars in values, and % in a unit's or manager's settings.
    quoted = [f'"{name}={_escaped(value)}"' for name, value in environment.items()]
    user_lines = "".join(f'{name}="{_escaped(value, dollars=True)}"\n' for name, value in environment.items())
    yield CarriedFile("/etc/environment", lines.encode())
    yield CarriedFile("/etc/environment.d/90-host.conf", user_lines.encode())
    manager = f"[Manager]\nDefaultEnvironment={' '.join(quoted).replace('%', '%%')}\n"
    yield CarriedFile("/etc/systemd/system.conf.d/90-host.conf", manager.encode())
    kept = f'Defaults env_keep += "{" ".join(environment)}"\n'
    yield CarriedFile("/etc/sudoers.d/80-host", kept.encode(), 0o440)


def _escaped(value: str, dollars: bool = False) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("$", "\\$") if dollars else escaped


def _first(path: str, *candidates: Path) -> Iterator[CarriedFile]:
    """The first of this computer's files that is there, under another name."""
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.R_OK):
            yield CarriedFile(path, candidate.read_bytes())
            return


def _resolver() -> Path:
    """This computer's name servers; those behind systemd-resolved when it only names that one, which is on loopback."""
    usual, behind = Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")
    only_loopback = all(
        line.split()[1].startswith("127.") for line in usual.read_text().splitlines() if line.startswith("nameserver ")
    )
    return behind if only_loopback and behind.is_file() else usual
