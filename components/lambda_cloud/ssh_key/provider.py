"""Registers public keys with the account, for `SshKey`."""

import base64
import hashlib
from typing import TYPE_CHECKING, Annotated, ClassVar

import pulumi
from pydantic import AfterValidator

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created
from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.api.models import SshKey as SshKeyAnswer
from components.lambda_cloud.api.names import Mark, name_beginning
from components.lambda_cloud.api.shared_list import ANY
from components.lambda_cloud.fresh import is_fresh
from components.lambda_cloud.in_use import delete_when_free
from components.lambda_cloud.removals import RemovalNotingProvider
from components.lambda_cloud.settle import settle
from components.lambda_cloud.ssh_key.resource import FINGERPRINT_LENGTH, LONGEST_PREFIX

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient

LONGEST_KEY = 4096
_WHERE = "give the one line of a file such as ~/.ssh/id_ed25519.pub"


def one_public_key(text: str) -> str:
    """`ValueError` for anything else, without a word of what was given: it may be the other half of the pair."""
    text = text.strip()
    if "PRIVATE KEY" in text:
        raise ValueError(f"this is a private key, which never has to leave your computer: {_WHERE}")
    if len(text.splitlines()) > 1:
        raise ValueError(f"has more than one line, and one public key is needed: {_WHERE}")
    if len(text) > LONGEST_KEY:
        raise ValueError(f"has {len(text)} characters, and Lambda takes {LONGEST_KEY}: {_WHERE}")
    if not _is_public_key(text.split()):
        raise ValueError(f"is no public key in OpenSSH's form: {_WHERE}")
    return text


def _is_public_key(words: list[str]) -> bool:
    """Whether the type in front is the one that the key itself begins with (RFC 4253, section 6.6)."""
    if len(words) < 2:
        return False
    try:
        key = base64.b64decode(words[1], validate=True)
    except ValueError:
        return False
    kind = words[0].encode()
    return key.startswith(len(kind).to_bytes(4, "big") + kind) and len(key) > 4 + len(kind)


PublicKey = Annotated[str, AfterValidator(one_public_key)]
"""OpenSSH's one-line form; of the forms that Lambda takes this is the one in which two keys can be compared."""


class SshKeyInputs(Inputs):
    """A key to register; its name in the account is made from the prefix, the key and the stack's mark."""

    name_prefix: Annotated[str, name_beginning(LONGEST_PREFIX)]
    mark: Mark
    public_key: PublicKey

    @property
    def name(self) -> str:
        """Unique in the account. Another key has another name, since the old one is in use until its machine ends."""
        fingerprint = hashlib.sha256(" ".join(_material(self.public_key)).encode()).hexdigest()[:FINGERPRINT_LENGTH]
        return f"{self.name_prefix}-{fingerprint}-{self.mark}"


class SshKeyProvider(RemovalNotingProvider[SshKeyInputs]):
    """Registers a key; the one that a killed run registered is taken over."""

    inputs: ClassVar[type[Inputs]] = SshKeyInputs
    # A wrong one may be a private key.
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"public_key"})

    def create_resource(self, inputs: SshKeyInputs) -> Created:
        client = self.client
        earlier = None if is_fresh(inputs.mark) else _named(client, inputs.name, ANY)
        known = earlier or settle(
            client,
            f"add SSH key {inputs.name}",
            lambda: client.add_ssh_key(inputs.name, inputs.public_key),
            lambda: _named(client, inputs.name),
        )
        if _material(known.public_key) != _material(inputs.public_key):
            raise CloudError(
                f"SSH key {inputs.name} exists in the account with another content: delete it in Lambda's console"
            )
        return Created(known.id, {"name": known.name})

    def read_resource(self, id_: str, state: Properties) -> Properties | None:
        known = next((key for key in self.client.ssh_keys(self.client.recently()) if key.id == id_), None)
        return None if known is None else {"name": known.name, "public_key": known.public_key}

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """A key that exists keeps its name: it cannot be renamed. The comment behind a key is free text."""
        if name == "public_key" and not pulumi.contains_unknowns(inputs.get(name)):
            return _material(str(state.get(name, ""))) == _material(str(inputs.get(name, "")))
        return name == "name_prefix"

    def delete_resource(self, id_: str, state: Properties) -> None:
        client = self.client
        delete_when_free(client, f"SSH key {state.get('name', id_)}", lambda: client.delete_ssh_key(id_))


def _named(client: "LambdaClient", name: str, since: float | None = None) -> SshKeyAnswer | None:
    return next((key for key in client.ssh_keys(since) if key.name == name), None)


def _material(public_key: str) -> list[str]:
    # Type and key; the comment behind them is free text that a server may change.
    return public_key.split()[:2]
