"""The image that all machines start from: built once from this computer's own package sources, then kept."""

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.account.folders import remove_folder
from localcloud.errors import LocalCloudError
from localcloud.machines.nspawn.tools import tool_environment

_PACKAGES = (
    "systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,openssh-server,sudo,cloud-init,ca-certificates,curl,"
    "iproute2,iputils-ping,nftables,python3,python3-venv,python3-pip,procps,less,netbase,rsync,git,adduser,libnuma1"
)

_CLOUD_INIT = """\
datasource_list: [NoCloud]
network: {config: disabled}
manage_etc_hosts: true
locale: false
apt: {preserve_sources_list: true}
ssh_genkeytypes: [ed25519, ecdsa]
system_info:
  default_user:
    name: ubuntu
    gecos: Ubuntu
    groups: [adm, sudo]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
    lock_passwd: true
"""
"""What Lambda's images say too: the login user. The rest is because the network is set from outside."""

_DPKG_OPTIONS = (
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
)
"""A build that a crash breaks off is done again, and nobody reads manuals there."""

_MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service", "systemd-modules-load.service")
"""Nobody wants packages renewed on a machine that lives for an hour; there is neither a console nor a module."""


@dataclass(frozen=True)
class Recipe:
    """All that an image depends on."""

    suite: str
    """Debian's (or Ubuntu's) code name."""
    sources: str | None
    """apt's list of sources; None is mmdebstrap's own for the suite."""
    apt_options: str
    """How this computer reaches them, in the language of apt.conf."""

    @property
    def key(self) -> str:
        """Changes with everything that could change the image."""
        parts = (
            platform.machine(),
            self.suite,
            self.sources,
            self.apt_options,
            _PACKAGES,
            _DPKG_OPTIONS,
            _CLOUD_INIT,
            _MASKED,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def image_folder(environment: Mapping[str, str]) -> Path:
    """The image, built now if it is not in the cache; `environment` says where that is. Blocks, once for a minute.

    Raises:
        LocalCloudError: it cannot be built; the line says where the whole story is.
    """
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lambda-vllm" / "nspawn"
    recipe = _recipe_of_this_computer()
    image = cache / recipe.key
    if image.is_dir():
        return image
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock") as lock:
        if not image.is_dir():
            _build(recipe, image, lock)
    return image


def _recipe_of_this_computer() -> Recipe:
    release = platform.freedesktop_os_release()
    candidates = (Path(f"/etc/apt/sources.list.d/{release['ID']}.sources"), Path("/etc/apt/sources.list"))
    texts = [path.read_text() for path in candidates if path.is_file()]
    said = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    wanted = ("Acquire::http", "Acquire::Check-", "Acquire::Force", "Acquire::Retries")
    options = [line for line in said.stdout.splitlines() if line.startswith(wanted)]
    return Recipe(
        suite=release.get("VERSION_CODENAME", "stable"),
        sources=next((text for text in texts if text.strip()), None),
        apt_options="\n".join([*options, ""]),
    )


def _build(recipe: Recipe, image: Path, lock: int) -> None:
    print("localcloud: building the image of the machines, which takes a minute once", file=sys.stderr, flush=True)
    draft, log, options = (image.with_name(f"building{end}") for end in ("", ".log", ".apt"))
    remove_folder(draft)
    options.write_text(recipe.apt_options)
    # mmdebstrap mounts parts of this computer's /dev and /sys into the draft. Killed, it would leave them there for the
    # next build to remove; in a mount namespace of its own they go with it.
    command = ["unshare", "--mount", "--propagation=private", "--"]
    command += ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--include={_PACKAGES}"]
    command += [*_DPKG_OPTIONS, f"--aptopt={options}", recipe.suite, str(draft), *(["-"] if recipe.sources else [])]
    with log.open("w") as output:
        done = subprocess.run(
            command,
            input=recipe.sources or "",
            env={**tool_environment(), "DEBIAN_FRONTEND": "noninteractive"},
            stdout=output,
            stderr=output,
            text=True,
            # It holds the lock too: after a kill of this process nobody touches the draft before it has ended.
            pass_fds=(lock,),
            check=False,
        )
    if done.returncode != 0:
        raise LocalCloudError(f"the image cannot be built ({_last_error(log)}); all of it: {log}")
    _settle(draft)
    draft.rename(image)
    for file in (log, options):
        file.unlink()


def _settle(root: Path) -> None:
    """Make the installed system one that cloud-init brings up, with no identity of its own."""
    (root / "etc/cloud/cloud.cfg.d/90_localcloud.cfg").write_text(_CLOUD_INIT)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for unit in _MASKED:
        mask = root / "etc/systemd/system" / unit
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")
    (root / "etc/default/locale").write_text("LANG=C.UTF-8\n")
    (root / "lambda" / "nfs").mkdir(parents=True)


def _last_error(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("E:")]
    return lines[0] if lines else "mmdebstrap failed"


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """One build at a time, also of several local clouds; the lock's descriptor. The kernel lets go after a kill."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
