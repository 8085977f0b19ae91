"""One task for each instance, in which it lives."""

import asyncio
import sys
from collections.abc import Callable, Coroutine

Life = Callable[[str], Coroutine[None, None, None]]
"""What the task of an instance does, given the instance's id."""


class InstanceTasks:
    """The tasks of all instances."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, instance_id: str, life: Life) -> None:
        """Make `life` the one task of the instance, after the end of the one before."""
        earlier = self._tasks.get(instance_id)
        task = asyncio.create_task(_after(earlier, life, instance_id))
        self._tasks[instance_id] = task
        task.add_done_callback(lambda _: self._done(instance_id, task))

    async def stop(self, instance_id: str) -> None:
        """End the task of the instance, if it has one."""
        task = self._tasks.get(instance_id)
        if task:
            await _end(task)

    async def close(self) -> None:
        """End all of them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, instance_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(instance_id) is task:
            del self._tasks[instance_id]
        if not task.cancelled() and (error := task.exception()):
            say(instance_id, "its life stopped", error)


async def uninterrupted(work: Coroutine[None, None, None]) -> None:
    """Do it to the end even when cancelled meanwhile: half a machine is worse than a late one."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def say(instance_id: str, what: str, error: BaseException) -> None:
    """One line on stderr."""
    why = " ".join(str(error).split()) or type(error).__name__
    print(f"localcloud: instance {instance_id}: {what}: {why}", file=sys.stderr, flush=True)


async def _after(earlier: asyncio.Task[None] | None, life: Life, instance_id: str) -> None:
    if earlier:
        await uninterrupted(_end(earlier))
    await life(instance_id)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for what it does not let go of."""
    task.cancel()
    await asyncio.wait([task])
