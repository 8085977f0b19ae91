"""A customer of a local cloud with machines: an SSH key, instances, and commands on them."""

import subprocess
from pathlib import Path
from typing import Any

import asyncssh

from tests.support.local_cloud import LocalCloud
from tests.support.polling import until

GH200 = {"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": ["key"]}


class Customer:
    """Speaks Lambda's API with the account's key, and SSH with a key of its own."""

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self._cloud = cloud
        self._key = folder / "key"
        pair = asyncssh.generate_private_key("ssh-ed25519")
        pair.write_private_key(self._key)
        self._key.chmod(0o600)
        self.call("POST", "/ssh-keys", {"name": "key", "public_key": pair.export_public_key().decode().strip()})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Data of a call below /api/v1, which must succeed."""
        return self._cloud.api(method, path, body)

    def launch(self, **fields: Any) -> str:
        """Id of a new instance, which boots meanwhile."""
        instance_id: str = self.call("POST", "/instance-operations/launch", GH200 | fields)["instance_ids"][0]
        return instance_id

    def active(self, instance_id: str) -> None:
        """Wait until the instance is active."""
        until(lambda: self._status(instance_id) == "active")

    def launched(self, **fields: Any) -> str:
        """Id of a new instance that is active."""
        instance_id = self.launch(**fields)
        self.active(instance_id)
        return instance_id

    def end(self, *instance_ids: str) -> None:
        """Terminate the instances and wait until they bill no more."""
        self.call("POST", "/instance-operations/terminate", {"instance_ids": instance_ids})
        until(lambda: not set(instance_ids) & set(self._cloud.billing()))

    def ssh(self, instance_id: str, command: str) -> str:
        """Output of a command on the machine, which must succeed."""
        ip = self.call("GET", f"/instances/{instance_id}")["ip"]
        options = ("LogLevel=ERROR", "BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
        words = [word for option in options for word in ("-o", option)]
        done = subprocess.run(
            ["ssh", "-F", "none", *words, "-i", str(self._key), "-p", "2222", f"ubuntu@{ip}", command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _status(self, instance_id: str) -> str:
        status: str = self.call("GET", f"/instances/{instance_id}")["status"]
        return status
