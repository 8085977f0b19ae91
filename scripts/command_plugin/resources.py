"""The two resources: what is done on create, update and delete, and which outputs come back."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable

from .engine import StatusLines
from .inputs import CommandInputs, CopyInputs, ResourceInputs, parsed
from .lines import LineSplitter
from .operation import Operation
from .properties import Properties, comparable

ID_BYTES = 4


class Resource(ABC):
    """A resource type. Properties in are checked inputs or a state; properties out are a whole state."""

    inputs: type[ResourceInputs]
    computed: tuple[str, ...] = ()
    """The outputs that are no inputs; a preview does not know them."""

    @abstractmethod
    def new_id(self, name: str) -> str: ...

    @abstractmethod
    async def create(self, operation: Operation, news: Properties) -> Properties: ...

    @abstractmethod
    async def update(self, operation: Operation, olds: Properties, news: Properties) -> Properties: ...

    @abstractmethod
    async def delete(self, operation: Operation, state: Properties) -> None: ...


class Command(Resource):
    """`command:remote:Command`."""

    inputs = CommandInputs
    computed = ("stdout", "stderr")

    def new_id(self, name: str) -> str:
        return name + secrets.token_hex(ID_BYTES)

    async def create(self, operation: Operation, news: Properties) -> Properties:
        state = {**news, "stdout": "", "stderr": ""}
        return await self._run(operation, news.get("create"), state)

    async def update(self, operation: Operation, olds: Properties, news: Properties) -> Properties:
        state = {**news, "stdout": olds.get("stdout") or "", "stderr": olds.get("stderr") or ""}
        text = news.get("update")
        return await self._run(operation, news.get("create") if text is None else text, state)

    async def delete(self, operation: Operation, state: Properties) -> None:
        await self._run(operation, state.get("delete"), state)

    async def _run(self, operation: Operation, text: str | None, state: Properties) -> Properties:
        """The state after the command; without a text nothing is dialled and the state stays as it is."""
        if text is None:
            return state
        # Loads asyncssh, which a run without changes does without.
        from .command import RemoteCommand, run

        inputs = parsed(CommandInputs, state)
        command = RemoteCommand(text, inputs.stdin or "", inputs.environment or {}, _previous_output(inputs, state))
        async with (
            operation.connected(inputs.connection) as client,
            StatusLines(operation.engine, operation.urn) as log,
        ):
            stdout, stderr = LineSplitter(), LineSplitter()
            result = await run(
                client,
                command,
                on_stdout=_shown(stdout, log) if inputs.logs_stdout else _not_shown,
                on_stderr=_shown(stderr, log) if inputs.logs_stderr else _not_shown,
            )
            log.show(stdout.finish() + stderr.finish())
        for variable in result.refused_variables:
            await operation.warning(
                f"the SSH server did not take {variable} (AcceptEnv); add_previous_output_in_env=False avoids this"
            )
        return {**state, "stdout": result.stdout, "stderr": result.stderr}


class CopyToRemote(Resource):
    """`command:remote:CopyToRemote`."""

    inputs = CopyInputs

    def new_id(self, name: str) -> str:
        return secrets.token_hex(ID_BYTES)

    async def create(self, operation: Operation, news: Properties) -> Properties:
        await self._copy(operation, parsed(CopyInputs, news))
        return news

    async def update(self, operation: Operation, olds: Properties, news: Properties) -> Properties:
        """Copies only what is new: another content or path. Another host alone copies nothing, as in 1.2.1."""
        if any(comparable(olds.get(name)) != comparable(news.get(name)) for name in ("source", "remotePath")):
            await self._copy(operation, parsed(CopyInputs, news))
        return news

    async def delete(self, operation: Operation, state: Properties) -> None:
        """What was copied stays on the host."""

    async def _copy(self, operation: Operation, inputs: CopyInputs) -> None:
        # Loads asyncssh, which a run without changes does without.
        from .upload import copy

        async with operation.connected(inputs.connection) as client:
            await copy(client, inputs)


RESOURCES: dict[str, Resource] = {
    "command:remote:Command": Command(),
    "command:remote:CopyToRemote": CopyToRemote(),
}


def _previous_output(inputs: CommandInputs, state: Properties) -> dict[str, str]:
    if not inputs.add_previous_output_in_env:
        return {}
    variables = {"PULUMI_COMMAND_STDOUT": state.get("stdout"), "PULUMI_COMMAND_STDERR": state.get("stderr")}
    return {name: value for name, value in variables.items() if value}


def _shown(splitter: LineSplitter, log: StatusLines) -> Callable[[bytes], None]:
    return lambda data: log.show(splitter.feed(data))


def _not_shown(data: bytes) -> None:
    """The stream is not wanted in the log."""
