"""The faults of SSH, as the machines ask for them."""

from localcloud.faults.waiting import Faults
from localcloud.machines.ssh_faults import Drop


class SshTrouble:
    """Takes from the faults of a cloud. Implements `SshFaults`."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def refuse(self, instance_id: str) -> float | None:
        """For how long nothing is listened to."""
        fault = self._faults.take({"ssh-connect"}, instance_id)
        return (fault.seconds or 0.0) if fault else None

    def drop(self, instance_id: str) -> Drop | None:
        """When the session is lost."""
        fault = self._faults.take({"ssh-command"}, instance_id)
        return Drop(fault.seconds, fault.after_bytes) if fault else None
