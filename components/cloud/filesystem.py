"""A filesystem: a disk of one region that outlives the machines which mount it."""

from typing import Annotated, Any, ClassVar, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.cloud.checking import written
from components.cloud.errors import CloudError
from components.cloud.in_use import delete_when_free
from components.cloud.models import Filesystem as FilesystemAnswer
from components.cloud.names import Mark, RegionName
from components.cloud.notes import Notes
from components.cloud.provider import Inputs, Made, Properties
from components.cloud.removals import RemovalNotingProvider
from components.cloud.settle import settle
from components.cloud.shared_list import ANY
from components.cloud.stack_mark import stack_mark

DOLLARS_PER_GB_MONTH = 0.20
"""Lambda's documentation, 2026; by what is stored, looked at every few hours."""

FilesystemName = Annotated[
    str, written(r"[a-zA-Z][0-9a-zA-Z-]{0,59}", "1 to 60 letters, digits and dashes, a letter first")
]


class FilesystemInputs(Inputs):
    """A filesystem as the API takes it."""

    name: FilesystemName
    region: RegionName
    retain: bool = True
    mark: Mark

    @property
    def note(self) -> str:
        """Under which its creation is noted: a filesystem that another stack made is not this one's to delete."""
        return f"{self.name}-{self.mark}"


class FilesystemProvider(RemovalNotingProvider[FilesystemInputs]):
    """Creates a filesystem, or takes over the one of this name. What it took over it never deletes."""

    inputs: ClassVar[type[Inputs]] = FilesystemInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"retain"})

    def make(self, inputs: FilesystemInputs) -> Made:
        client = self.client

        def named(since: float | None = None) -> FilesystemAnswer | None:
            return next((one for one in client.filesystems(since) if one.name == inputs.name), None)

        there = named(ANY)
        if there is not None:
            if there.region.name != inputs.region:
                raise CloudError(
                    f"filesystem {inputs.name} lies in {there.region.name}, not in {inputs.region}, and cannot move: "
                    "use that region or another name"
                )
            print(f"took over filesystem {inputs.name} in {inputs.region}: {cost(there.bytes_used)}")
            # A run that was killed may have made it before it could say so.
            return Made(there.id, _outputs(there, created=self._creations.has(inputs.note)))
        self._creations.add(inputs.note)
        made = settle(
            client,
            f"create filesystem {inputs.name}",
            lambda: client.add_filesystem(inputs.name, inputs.region),
            named,
        )
        return Made(made.id, _outputs(made, created=True))

    def find(self, id_: str, state: Properties) -> Properties | None:
        there = next((one for one in self.client.filesystems(self.client.recently()) if one.id == id_), None)
        return None if there is None else _outputs(there, created=bool(state.get("created")))

    def goes(self, state: Properties) -> bool:
        """What is retained, or was there before, stays in the account."""
        return not state.get("retain", True) and bool(state.get("created"))

    def remove(self, id_: str, state: Properties) -> None:
        client = self.client
        name = str(state["name"])
        if not self.goes(state):
            there = next((one for one in client.filesystems() if one.id == id_), None)
            if there is not None:
                reason = "retain is set" if state.get("retain", True) else "it was there before this stack"
                print(f"kept filesystem {name} in {there.region.name} ({reason}): {cost(there.bytes_used)}")
            return
        delete_when_free(client, f"filesystem {name}", lambda: client.delete_filesystem(id_))
        self._creations.drop(f"{name}-{state['mark']}")

    @property
    def _creations(self) -> Notes:
        """Filesystems that stacks have begun to create from this computer, whatever became of the answer."""
        return self._notes("filesystems")


def cost(bytes_used: int) -> str:
    """What is stored and what it costs, in words."""
    gigabytes = bytes_used / 1e9
    return f"{gigabytes:.1f} GB stored, ${gigabytes * DOLLARS_PER_GB_MONTH:.2f} a month"


def _outputs(filesystem: FilesystemAnswer, created: bool) -> Properties:
    return {
        "mount_point": filesystem.mount_point or f"/lambda/nfs/{filesystem.name}",
        "bytes_used": filesystem.bytes_used,
        "created": created,
    }


class FilesystemArgs(TypedDict):
    """Arguments of `Filesystem`."""

    name: pulumi.Input[str]
    """1 to 60 letters, digits and dashes, a letter first. One that exists is taken over."""
    region: pulumi.Input[str]
    """Only machines of this region can mount it; it cannot move."""
    retain: NotRequired[pulumi.Input[bool]]
    """Keep it, and what is in it, when the stack is destroyed; True if unset. It costs by what is stored."""


class Filesystem(Resource, module="lambdacloud", name="Filesystem"):
    """A filesystem. Mount it with `filesystem_names` or `filesystem_mounts` of an `Instance`, at launch only."""

    name: pulumi.Output[str]
    region: pulumi.Output[str]
    mount_point: pulumi.Output[str]
    """Where it is on a machine that mounts it by name."""
    bytes_used: pulumi.Output[int]
    """Some hours behind."""
    created: pulumi.Output[bool]
    """False when it was there before."""

    def __init__(self, name: str, args: FilesystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"mount_point": None, "bytes_used": None, "created": None, **args, "mark": stack_mark()}
        super().__init__(FilesystemProvider(), name, props, opts)
