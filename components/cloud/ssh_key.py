"""A public key registered with the account, so that a machine can be launched with it."""

from typing import Any, ClassVar, TypedDict

import pulumi
from pulumi.dynamic import Resource
from pydantic import Field

from components.cloud.client import LambdaClient
from components.cloud.errors import TRANSIENT, CloudError
from components.cloud.in_use import delete_when_free
from components.cloud.models import SshKey as SshKeyAnswer
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties


class SshKeyInputs(Inputs):
    """A key as the API takes it: names of 1 to 64 characters, unique in the account."""

    name: str = Field(min_length=1, max_length=64)
    public_key: str = Field(min_length=1, max_length=4096, pattern=r"^(ssh|ecdsa)-")


class SshKeyProvider(LambdaProvider[SshKeyInputs]):
    """Registers a key; one of the same name and the same content is taken over."""

    inputs: ClassVar[type[Inputs]] = SshKeyInputs

    def make(self, inputs: SshKeyInputs) -> Made:
        client = self.client
        known = _named(client, inputs.name) or _add(client, inputs)
        if _material(known.public_key) != _material(inputs.public_key):
            raise CloudError(
                f"SSH key {inputs.name} exists in the account with another content: delete it in Lambda's console, or "
                "rename the stack"
            )
        return Made(known.id)

    def find(self, id_: str, state: Properties) -> Properties | None:
        known = next((key for key in self.client.ssh_keys() if key.id == id_), None)
        return None if known is None else {"name": known.name}

    def keeps(self, name: str, state: Properties, inputs: Properties) -> bool:
        """A key that exists keeps its name: it cannot be renamed, nor deleted while its machine runs."""
        return name == "name"

    def remove(self, id_: str, state: Properties) -> None:
        client = self.client
        delete_when_free(client, f"SSH key {state.get('name', id_)}", lambda: client.delete_ssh_key(id_))


def _add(client: LambdaClient, inputs: SshKeyInputs) -> SshKeyAnswer:
    try:
        return client.add_ssh_key(inputs.name, inputs.public_key)
    except TRANSIENT:
        # It may have been carried out; the name is ours, so a look tells.
        made = _named(client, inputs.name)
        if made is None:
            raise
        return made


def _named(client: LambdaClient, name: str) -> SshKeyAnswer | None:
    return next((key for key in client.ssh_keys() if key.name == name), None)


def _material(public_key: str) -> list[str]:
    # Type and key; the comment behind them is free text that a server may change.
    return public_key.split()[:2]


class SshKeyArgs(TypedDict):
    """Arguments of `SshKey`."""

    name: pulumi.Input[str]
    """1 to 64 characters, unique in the account."""
    public_key: pulumi.Input[str]
    """OpenSSH's one-line form."""


class SshKey(Resource, module="lambdacloud", name="SshKey"):
    """A registered public key."""

    name: pulumi.Output[str]
    """The name under which it was registered."""

    def __init__(self, name: str, args: SshKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {**args}
        super().__init__(SshKeyProvider(), name, props, opts)
