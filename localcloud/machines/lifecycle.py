"""The life of an instance.

    booting ── an address ── the machine starts ── active ── terminating ── terminated ── forgotten
       │                                               └── a fault: preempted
       └── the machine could not be started: unhealthy
       └── a fault: unhealthy, terminated, preempted, or booting for ever, all without an address

Times are counted from what is on disk, so a boot or a termination goes on where it was when the emulator comes back.
"""

import asyncio

from localcloud.account.catalogue import INSTANCE_TYPES
from localcloud.account.filesystems import FilesystemFolders
from localcloud.account.records import GONE, InstanceRecord, LaunchCountRecord, Status
from localcloud.account.store import Store
from localcloud.clock import SYSTEM_CLOCK, Clock
from localcloud.machines.base import Machines, MachineSpec, Mount
from localcloud.machines.inbound import inbound_rules
from localcloud.machines.tasks import InstanceTasks, say, uninterrupted
from localcloud.machines.timings import FORGOTTEN_AFTER, TERMINATED_AFTER, boot_times


class Lifecycle:
    """Moves instances from state to state, each in a task of its own.

    `time_scale` stretches every wait; at 0 nothing waits. How long boots take follows from `seed`.
    """

    def __init__(
        self,
        store: Store,
        machines: Machines,
        filesystems: FilesystemFolders,
        time_scale: float,
        seed: int = 0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._seed = seed
        self._store = store
        self._machines = machines
        self._filesystems = filesystems
        self._scale = time_scale
        self._tasks = InstanceTasks()

    async def recover(self) -> None:
        """Take up every instance where an earlier emulator left it; machines answer SSH again when this returns."""
        instances = self._store.instances.all()
        await asyncio.gather(*(self._resume(one) for one in instances if _has_machine(one)))
        for instance in instances:
            if instance.status == Status.BOOTING:
                self._tasks.begin(instance.id, self._boot)
            elif instance.status == Status.TERMINATING:
                self._tasks.begin(instance.id, self._terminate)
            elif instance.status in GONE:
                self._tasks.begin(instance.id, self._forget)
            elif instance.preempted_at is not None:
                self._tasks.begin(instance.id, self._preempt)

    async def close(self) -> None:
        """Stop all tasks and stop listening for the machines; what runs on them goes on."""
        await self._tasks.close()
        await self._machines.close()

    def launch(self, instance: InstanceRecord) -> None:
        """Keep a new instance and begin to boot it."""
        with self._store.transaction():
            count = self._count_launch()
            times = boot_times(self._seed, instance.instance_type, count)
            self._store.instances.put(instance.model_copy(update={"boot_times": times}))
        self._tasks.begin(instance.id, self._boot)

    def restart(self, instance_id: str) -> InstanceRecord:
        """Begin to reboot an instance that has a machine; it keeps its address."""
        changed = self._change(
            instance_id, status=Status.BOOTING, pending="restart", boot_began=self._clock.now(), has_launched=True
        )
        self._tasks.begin(instance_id, self._boot)
        return changed

    def terminate(self, instance_id: str, extra_seconds: float = 0.0) -> InstanceRecord:
        """Begin to end an instance; one that is ending already goes on as it was.

        `extra_seconds` is how much longer than usual it takes, at any time scale.
        """
        instance = self._get(instance_id)
        if instance.status == Status.TERMINATING:
            return instance
        changed = self._change(
            instance_id, status=Status.TERMINATING, ended=self._clock.now(), extra_termination_seconds=extra_seconds
        )
        self._tasks.begin(instance_id, self._terminate)
        return changed

    async def force(self, instance_id: str, status: Status) -> InstanceRecord:
        """Put an instance into a state from outside; a state without a machine takes the machine away at once."""
        if status == Status.TERMINATING:
            return self.terminate(instance_id)
        if status not in GONE:
            return self._change(instance_id, status=status)
        await self._tasks.stop(instance_id)
        await self._machines.destroy(instance_id)
        changed = self._change(instance_id, status=status, ended=self._clock.now())
        self._tasks.begin(instance_id, self._forget)
        return changed

    async def firewall_changed(self) -> None:
        """Rules were written: every machine lets in what they say now when this returns."""
        for instance in self._store.instances.all():
            current = self._store.instances.get(instance.id)
            if current is None or current.ip is None or current.status in {*GONE, Status.TERMINATING}:
                continue
            try:
                await self._machines.firewall(current.id, current.ip, inbound_rules(self._store, current))
            except Exception as error:
                say(current.id, "its firewall could not be changed", error)
                self._change(current.id, status=Status.UNHEALTHY)

    async def _resume(self, instance: InstanceRecord) -> None:
        try:
            await self._machines.resume(self._spec(instance))
        except Exception as error:
            say(instance.id, "its machine could not be resumed", error)
            self._change(instance.id, status=Status.UNHEALTHY)

    async def _boot(self, instance_id: str) -> None:
        instance = self._get(instance_id)
        if instance.ip is None:
            await self._wait_until(instance.boot_began, instance.boot_times.address)
            if instance.boot_ends_in is not None:
                await self._fail_to_boot(instance_id, instance.boot_ends_in)
                return
            if not self._give_address(instance_id):
                return
        if instance.pending:
            if instance.pending == "start":
                await self._wait_until(instance.boot_began, instance.boot_times.ssh)
            await uninterrupted(self._bring_up(instance_id))
        await self._wait_until(instance.boot_began, instance.boot_times.active)
        if self._get(instance_id).status == Status.BOOTING:
            self._change(instance_id, status=Status.ACTIVE, preempted_at=self._preemption(instance))
            await self._preempt(instance_id)

    async def _preempt(self, instance_id: str) -> None:
        """Take an instance away when its time has come; most have none."""
        instance = self._get(instance_id)
        if instance.preempted_at is None:
            return
        await self._clock.wait(instance.preempted_at - self._clock.now())
        await uninterrupted(self._machines.destroy(instance_id))
        self._change(instance_id, status=Status.PREEMPTED, ended=self._clock.now())
        await self._forget(instance_id)

    async def _fail_to_boot(self, instance_id: str, end: Status) -> None:
        """Let a boot that is still going on come to its end without an address."""
        if self._get(instance_id).status != Status.BOOTING:
            return
        if end in GONE:
            self._change(instance_id, status=end, ended=self._clock.now())
            await self._forget(instance_id)
        else:
            self._change(instance_id, status=end)

    def _give_address(self, instance_id: str) -> bool:
        """Give the instance an address; it is unhealthy when none is free."""
        taken = {other.ip for other in self._store.instances.all() if other.ip}
        try:
            self._change(instance_id, ip=self._machines.allocate_ip(taken))
        except Exception as error:
            self._break(instance_id, "there is no address for it", error)
            return False
        return True

    async def _bring_up(self, instance_id: str) -> None:
        """Do what the machine still has to do; when it cannot, the instance is unhealthy unless it is ending anyway."""
        instance = self._get(instance_id)
        try:
            spec = self._spec(instance)
            await (self._machines.restart(spec) if instance.pending == "restart" else self._machines.start(spec))
        except Exception as error:
            self._break(instance_id, f"its machine could not {instance.pending}", error)
        else:
            self._change(instance_id, pending=None)

    def _break(self, instance_id: str, what: str, error: Exception) -> None:
        say(instance_id, what, error)
        if self._get(instance_id).status == Status.BOOTING:
            self._change(instance_id, status=Status.UNHEALTHY)

    async def _terminate(self, instance_id: str) -> None:
        try:
            await uninterrupted(self._machines.destroy(instance_id))
        except Exception as error:
            # Still there, still to be paid for: terminating it again tries again.
            say(instance_id, "its machine could not be destroyed", error)
            self._change(instance_id, status=Status.UNHEALTHY)
            return
        await self._wait_until(self._ended(self._get(instance_id)), TERMINATED_AFTER)
        self._change(instance_id, status=Status.TERMINATED)
        await self._forget(instance_id)

    async def _forget(self, instance_id: str) -> None:
        await self._wait_until(self._ended(self._get(instance_id)), TERMINATED_AFTER + FORGOTTEN_AFTER)
        self._store.instances.delete(instance_id)

    def _count_launch(self) -> int:
        """The number of the launch that is being made."""
        earlier = self._store.launches.get(LaunchCountRecord.ID)
        count = earlier.count + 1 if earlier else 1
        self._store.launches.put(LaunchCountRecord(count=count))
        return count

    async def _wait_until(self, began: float, seconds: float) -> None:
        await self._clock.wait(began + seconds * self._scale - self._clock.now())

    def _preemption(self, instance: InstanceRecord) -> float | None:
        """When an instance that becomes active now is taken away."""
        return None if instance.preempted_after is None else self._clock.now() + instance.preempted_after

    def _ended(self, instance: InstanceRecord) -> float:
        """From when on the usual times of an end count."""
        return (instance.ended or self._clock.now()) + instance.extra_termination_seconds

    def _get(self, instance_id: str) -> InstanceRecord:
        """The instance as it is now: others may have changed it during a wait."""
        instance = self._store.instances.get(instance_id)
        if instance is None:
            raise LookupError(f"instance {instance_id} is gone")
        return instance

    def _change(self, instance_id: str, **fields: object) -> InstanceRecord:
        changed = self._get(instance_id).model_copy(update=fields)
        self._store.instances.put(changed)
        return changed

    def _spec(self, instance: InstanceRecord) -> MachineSpec:
        """What the machine of an instance that has an address is made from."""
        assert instance.ip is not None
        mounts = (Mount(one.name, self._filesystems.folder(one.id), one.mount_point) for one in instance.filesystems)
        return MachineSpec(
            instance_id=instance.id,
            ip=instance.ip,
            hostname=instance.hostname or instance.ip.replace(".", "-"),
            instance_type=instance.instance_type,
            authorized_keys=tuple(instance.authorized_keys),
            user_data=instance.user_data,
            gpus=INSTANCE_TYPES[instance.instance_type].gpus,
            mounts=tuple(mounts),
            disk_bytes=instance.disk_bytes,
            firewall=inbound_rules(self._store, instance),
        )


def _has_machine(instance: InstanceRecord) -> bool:
    """Whether there is a machine that has only to be listened for again; pending ones are started instead."""
    return instance.ip is not None and not instance.pending and instance.status not in {*GONE, Status.TERMINATING}
