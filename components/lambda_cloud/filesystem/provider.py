"""Creates or takes over filesystems, for `Filesystem`."""

from typing import ClassVar

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created
from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.api.models import Filesystem as FilesystemAnswer
from components.lambda_cloud.api.names import FilesystemName, Mark, RegionName
from components.lambda_cloud.api.notes import Notes
from components.lambda_cloud.api.shared_list import ANY
from components.lambda_cloud.in_use import delete_when_free
from components.lambda_cloud.removals import RemovalNotingProvider
from components.lambda_cloud.settle import settle

DOLLARS_PER_GB_MONTH = 0.20
"""Lambda's documentation, 2026; by what is stored, looked at every few hours."""


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

    def create_resource(self, inputs: FilesystemInputs) -> Created:
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
            return Created(there.id, _outputs(there, created=self._creations.has(inputs.note)))
        self._creations.add(inputs.note)
        made = settle(
            client,
            f"create filesystem {inputs.name}",
            lambda: client.add_filesystem(inputs.name, inputs.region),
            named,
        )
        return Created(made.id, _outputs(made, created=True))

    def read_resource(self, id_: str, state: Properties) -> Properties | None:
        there = next((one for one in self.client.filesystems(self.client.recently()) if one.id == id_), None)
        return None if there is None else _outputs(there, created=bool(state.get("created")))

    def goes(self, state: Properties) -> bool:
        """What is retained, or was there before, stays in the account."""
        return not state.get("retain", True) and bool(state.get("created"))

    def delete_resource(self, id_: str, state: Properties) -> None:
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
