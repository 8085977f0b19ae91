"""An `ssh` for PATH that finds what users have in their own set-up, without touching that of this computer.

OpenSSH takes the home folder from the password database and not from HOME, so the files are mounted over it in a
namespace of its own.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

CONFIG = """\
Host *
  RemoteCommand echo hijacked
  RequestTTY force
  ProxyCommand /bin/false
  HostName 192.0.2.66
  User mallory
  Port 9
  LogLevel QUIET
  SetEnv OPS_TEST=hijacked
  ForwardAgent yes
  ForwardX11 yes
  LocalForward 127.0.0.1:9 localhost:9
  ControlMaster auto
  ControlPath /nowhere/%C
  PermitLocalCommand yes
  LocalCommand echo hijacked
  StrictHostKeyChecking no
  PreferredAuthentications keyboard-interactive
  PubkeyAuthentication no
"""

WRAPPER = """\
#!/bin/sh
exec {unshare} sh -c '
set -e
mount -t tmpfs none {home}
mkdir -m 700 {home}/.ssh
cp {folder}/config {home}/.ssh/config
cp {folder}/id {home}/.ssh/id_ed25519
chmod 600 {home}/.ssh/*
mount -t tmpfs none /etc/ssh
cp {folder}/config /etc/ssh/ssh_config
cp {folder}/known_hosts /etc/ssh/ssh_known_hosts
cd /
exec {ssh} "$@"
' ssh "$@"
"""


def why_not() -> str:
    """Why there can be none here; empty when there can."""
    if shutil.which("ssh") is None:
        return "needs an OpenSSH client"
    if shutil.which("unshare") is None:
        return "needs unshare"
    tried = subprocess.run([*_unshare(), "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this user may make no namespace to mount files in"


def hostile_ssh(folder: Path, known_hosts: str = "") -> Path:
    """A folder for PATH, made in `folder`; `known_hosts` is what the computer believes of hosts."""
    program = shutil.which("ssh")
    assert program
    (folder / "bin").mkdir(parents=True)
    (folder / "config").write_text(CONFIG)
    (folder / "known_hosts").write_text(known_hosts)
    (folder / "id").write_text("not a key\n")
    wrapper = folder / "bin/ssh"
    # Inside it is the superuser, whoever that is outside.
    home = pwd.getpwuid(0).pw_dir
    wrapper.write_text(WRAPPER.format(unshare=" ".join(_unshare()), home=home, folder=folder, ssh=program))
    wrapper.chmod(0o755)
    return folder / "bin"


def _unshare() -> list[str]:
    return ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--mount", "--map-root-user"]
