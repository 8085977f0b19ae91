"""The life of an instance.

    booting ── an address, the machine starts ── active ── terminating ── terminated ── forgotten
       └── the machine could not be started: unhealthy
       └── a fault: unhealthy, terminated, preempted, or booting for ever, all without an address

Times are counted from what is on disk, so a boot or a termination goes on where it was when the emulator comes back.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine

from localcloud.catalogue import INSTANCE_TYPES
from localcloud.filesystems import FilesystemFolders
from localcloud.inbound import inbound_rules
from localcloud.machines.base import Machines, MachineSpec, Mount
from localcloud.records import GONE, InstanceRecord, Status
from localcloud.store import Store

# Seconds at time scale 1: in the range seen live for the address, shorter than live for the rest, to spare patience.
ADDRESS_AFTER = 20.0
ACTIVE_AFTER = 60.0
TERMINATED_AFTER = 10.0
FORGOTTEN_AFTER = 60.0


Life = Callable[[str], Coroutine[None, None, None]]
"""What the task of an instance does, given the instance's id."""


class Lifecycle:
    """Moves instances from state to state, each in a task of its own.

    `time_scale` stretches every wait; at 0 nothing waits.
    """

    def __init__(self, store: Store, machines: Machines, filesystems: FilesystemFolders, time_scale: float) -> None:
        self._store = store
        self._machines = machines
        self._filesystems = filesystems
        self._scale = time_scale
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def recover(self) -> None:
        """Take up every instance where an earlier emulator left it; machines answer SSH again when this returns."""
        instances = self._store.instances.all()
        await asyncio.gather(*(self._resume(one) for one in instances if _has_machine(one)))
        for instance in instances:
            if instance.status == Status.BOOTING:
                self._begin(instance.id, self._boot)
            elif instance.status == Status.TERMINATING:
                self._begin(instance.id, self._terminate)
            elif instance.status in GONE:
                self._begin(instance.id, self._forget)

    async def close(self) -> None:
        """Stop all tasks and stop listening for the machines; what runs on them goes on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._machines.close()

    def launch(self, instance: InstanceRecord) -> None:
        """Keep a new instance and begin to boot it."""
        self._store.instances.put(instance)
        self._begin(instance.id, self._boot)

    def restart(self, instance_id: str) -> InstanceRecord:
        """Begin to reboot an instance that has a machine; it keeps its address."""
        changed = self._change(
            instance_id, status=Status.BOOTING, pending="restart", boot_began=time.time(), has_launched=True
        )
        self._begin(instance_id, self._boot)
        return changed

    def terminate(self, instance_id: str, extra_seconds: float = 0.0) -> InstanceRecord:
        """Begin to end an instance; one that is ending already goes on as it was.

        `extra_seconds` is how much longer than usual it takes, at any time scale.
        """
        instance = self._get(instance_id)
        if instance.status == Status.TERMINATING:
            return instance
        changed = self._change(
            instance_id, status=Status.TERMINATING, ended=time.time(), extra_termination_seconds=extra_seconds
        )
        self._begin(instance_id, self._terminate)
        return changed

    async def force(self, instance_id: str, status: Status) -> InstanceRecord:
        """Put an instance into a state from outside; a state without a machine takes the machine away at once."""
        if status == Status.TERMINATING:
            return self.terminate(instance_id)
        if status not in GONE:
            return self._change(instance_id, status=status)
        await self._stop(instance_id)
        await self._machines.destroy(instance_id)
        changed = self._change(instance_id, status=status, ended=time.time())
        self._begin(instance_id, self._forget)
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
                _say(current.id, "its firewall could not be changed", error)
                self._change(current.id, status=Status.UNHEALTHY)

    async def _resume(self, instance: InstanceRecord) -> None:
        try:
            await self._machines.resume(self._spec(instance))
        except Exception as error:
            _say(instance.id, "its machine could not be resumed", error)
            self._change(instance.id, status=Status.UNHEALTHY)

    async def _boot(self, instance_id: str) -> None:
        instance = self._get(instance_id)
        if instance.ip is None:
            await self._wait_until(instance.boot_began, ADDRESS_AFTER)
            if instance.boot_ends_in is not None:
                await self._fail_to_boot(instance_id, instance.boot_ends_in)
                return
        if instance.pending:
            await _uninterrupted(self._bring_up(instance_id))
        await self._wait_until(instance.boot_began, ACTIVE_AFTER)
        if self._get(instance_id).status == Status.BOOTING:
            self._change(instance_id, status=Status.ACTIVE)

    async def _fail_to_boot(self, instance_id: str, end: Status) -> None:
        """Let a boot that is still going on come to its end without an address."""
        if self._get(instance_id).status != Status.BOOTING:
            return
        if end in GONE:
            self._change(instance_id, status=end, ended=time.time())
            await self._forget(instance_id)
        else:
            self._change(instance_id, status=end)

    async def _bring_up(self, instance_id: str) -> None:
        """Do what the machine still has to do; when it cannot, the instance is unhealthy unless it is ending anyway."""
        instance = self._get(instance_id)
        try:
            if instance.ip is None:
                taken = {other.ip for other in self._store.instances.all() if other.ip}
                instance = self._change(instance_id, ip=self._machines.allocate_ip(taken))
            spec = self._spec(instance)
            await (self._machines.restart(spec) if instance.pending == "restart" else self._machines.start(spec))
        except Exception as error:
            _say(instance_id, f"its machine could not {instance.pending}", error)
            if self._get(instance_id).status == Status.BOOTING:
                self._change(instance_id, status=Status.UNHEALTHY)
        else:
            self._change(instance_id, pending=None)

    async def _terminate(self, instance_id: str) -> None:
        try:
            await _uninterrupted(self._machines.destroy(instance_id))
        except Exception as error:
            # Still there, still to be paid for: terminating it again tries again.
            _say(instance_id, "its machine could not be destroyed", error)
            self._change(instance_id, status=Status.UNHEALTHY)
            return
        await self._wait_until(_ended(self._get(instance_id)), TERMINATED_AFTER)
        self._change(instance_id, status=Status.TERMINATED)
        await self._forget(instance_id)

    async def _forget(self, instance_id: str) -> None:
        await self._wait_until(_ended(self._get(instance_id)), TERMINATED_AFTER + FORGOTTEN_AFTER)
        self._store.instances.delete(instance_id)

    async def _wait_until(self, began: float, seconds: float) -> None:
        await asyncio.sleep(max(0.0, began + seconds * self._scale - time.time()))

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
            firewall=inbound_rules(self._store, instance),
        )

    def _begin(self, instance_id: str, life: Life) -> None:
        """Make `life` the one task of the instance, after the end of the one before."""
        earlier = self._tasks.get(instance_id)
        task = asyncio.create_task(self._after(earlier, life, instance_id))
        self._tasks[instance_id] = task
        task.add_done_callback(lambda _: self._done(instance_id, task))

    async def _after(self, earlier: asyncio.Task[None] | None, life: Life, instance_id: str) -> None:
        if earlier:
            await _uninterrupted(_end(earlier))
        await life(instance_id)

    async def _stop(self, instance_id: str) -> None:
        task = self._tasks.get(instance_id)
        if task:
            await _end(task)

    def _done(self, instance_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(instance_id) is task:
            del self._tasks[instance_id]
        if not task.cancelled() and (error := task.exception()):
            _say(instance_id, "its life stopped", error)


def _has_machine(instance: InstanceRecord) -> bool:
    """Whether there is a machine that has only to be listened for again; pending ones are started instead."""
    return instance.ip is not None and not instance.pending and instance.status not in {*GONE, Status.TERMINATING}


def _ended(instance: InstanceRecord) -> float:
    """From when on the usual times of an end count."""
    return (instance.ended or time.time()) + instance.extra_termination_seconds


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for what it does not let go of."""
    task.cancel()
    await asyncio.wait([task])


async def _uninterrupted(work: Coroutine[None, None, None]) -> None:
    """Do it to the end even when cancelled meanwhile: half a machine is worse than a late one."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def _say(instance_id: str, what: str, error: BaseException) -> None:
    """One line on stderr."""
    why = " ".join(str(error).split()) or type(error).__name__
    print(f"localcloud: instance {instance_id}: {what}: {why}", file=sys.stderr, flush=True)
