"""A Ubuntu on this computer's disk, to run programs in with the Python, pip, apt and C library of Lambda's images.

It is made with mmdebstrap, once, from Ubuntu's archive, whose signatures are checked. Programs run in it as the user
`ubuntu`, in a mount namespace of their own, with a home and package lists that end with the test.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

from components.on_machine.shared.paths import BASE
from tests.support.machine_release import lay_release

ARCHIVE = "http://archive.ubuntu.com/ubuntu"
KEYRING = f"{ARCHIVE}/pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb"
KEYRING_SHA256 = "0d0e7ed6b112f5d03eabf3c7eb01ebdacf9c57714b279e90495cfc58c8c4520f"
PACKAGES = "ca-certificates,lsb-release,passwd,python3,python3-pip,sudo,util-linux"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# The first argument is the root, the second the home; what follows is run in there.
ENTER = f"""
set -e
root=$1 home=$2
shift 2
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
for file in /etc/resolv.conf /etc/hosts {CERTIFICATES}; do
    mount --bind "$(readlink -f "$file")" "$root$file"
done
mount --bind "$home" "$root/home/ubuntu"
mount -t tmpfs tmpfs "$root/var/lib/apt/lists"
exec chroot --userspec=ubuntu:ubuntu "$root" "$@"
"""


class NoUbuntuError(Exception):
    """It cannot be made here; the text says why."""


def ubuntu_root(suite: str) -> Path:
    """The root of jammy or noble, made where it is not there yet; `NoUbuntuError`."""
    if os.geteuid() != 0:
        raise NoUbuntuError("a Ubuntu root needs root on this computer")
    missing = [tool for tool in ("mmdebstrap", "unshare", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise NoUbuntuError(f"a Ubuntu root is made with {', '.join(missing)}: apt-get install mmdebstrap")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lambda-vllm/ubuntu"
    cache.mkdir(parents=True, exist_ok=True)
    root = cache / suite
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _build(suite, root, _keyring(cache))
    return root


def _keyring(cache: Path) -> Path:
    """The keys that Ubuntu signs its archive with."""
    try:
        with urllib.request.urlopen(KEYRING, timeout=20) as answer:
            package = bytes(answer.read())
    except OSError as error:
        raise NoUbuntuError(f"Ubuntu's archive cannot be reached: {error}") from None
    if hashlib.sha256(package).hexdigest() != KEYRING_SHA256:
        raise NoUbuntuError(f"{KEYRING} is not the file that it was")
    (cache / "keyring.deb").write_bytes(package)
    subprocess.run(["dpkg-deb", "--extract", cache / "keyring.deb", cache / "keyring"], check=True)
    return cache / "keyring/usr/share/keyrings/ubuntu-archive-keyring.gpg"


def _build(suite: str, root: Path, keyring: Path) -> None:
    draft = root.with_name(f"{suite}.new")
    _remove(draft)
    # In a mount namespace of its own, so that nothing stays mounted of one that was killed.
    command = ["unshare", "--mount", "--propagation=private", "mmdebstrap", "--mode=root", "--variant=apt", "--quiet"]
    command += [f"--keyring={keyring}", f"--include={PACKAGES}", '--aptopt=Acquire::Languages "none"']
    command += ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", suite, str(draft)]
    command += [f"deb {ARCHIVE} {one} main universe" for one in (suite, f"{suite}-updates")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoUbuntuError(f"mmdebstrap failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
    subprocess.run(["chroot", draft, "useradd", "--create-home", "--shell", "/bin/bash", "ubuntu"], check=True)
    (draft / "etc/sudoers.d/ubuntu").write_text("ubuntu ALL=(ALL) NOPASSWD:ALL\n")
    for name in ("resolv.conf", "hosts"):
        (draft / "etc" / name).unlink(missing_ok=True)
        (draft / "etc" / name).touch()
    draft.rename(root)


def _remove(folder: Path) -> None:
    if folder.exists():
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", folder], check=True)


class UbuntuMachine:
    """A home directory with our programs on it, in a Ubuntu."""

    def __init__(self, root: Path, home: Path) -> None:
        self._root, self.home = root, home
        self.base = home / BASE
        lay_release(home)
        subprocess.run(["chroot", root, "id", "-u", "ubuntu"], check=True, capture_output=True)
        owner = (root / "home/ubuntu").stat()
        for path in (home, *home.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def start(self, command: str, **more: str) -> "subprocess.Popen[str]":
        """Start a command in the home, with the environment of a command over SSH."""
        environment = {
            "HOME": "/home/ubuntu",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            # Where this computer reaches registries through a certificate of its own.
            "PIP_CERT": str(CERTIFICATES),
            "SSL_CERT_FILE": str(CERTIFICATES),
            **more,
        }
        words = ["unshare", "--mount", "--propagation=private", "bash", "-c", ENTER, "enter"]
        words += [str(self._root), str(self.home)]
        words += ["env", "--ignore-environment", *(f"{name}={value}" for name, value in environment.items())]
        words += ["bash", "-c", f"cd && {command}"]
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, command: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        started = self.start(command, **more)
        out, err = started.communicate(timeout=240)
        return subprocess.CompletedProcess(command, started.returncode, out, err)

    def play(self, program: str, script: str) -> None:
        """Put a program into `~/played`, for a PATH that begins with it."""
        file = self.home / "played" / program
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/bash\n{script}\n")
        file.chmod(0o755)
