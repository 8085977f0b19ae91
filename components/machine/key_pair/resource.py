"""SSH keys, made on this computer: one to log in with, one that is the machine's own.

The machine gets its host key with its user data, so the first connection is checked already: nobody has to trust on
first use.
"""

from typing import Any, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.machine.key_pair.provider:KeyPairProvider")


class KeyPairArgs(TypedDict):
    """Arguments of `KeyPair`."""

    comment: pulumi.Input[str]
    """Stands behind the public key, so that people see what it is for."""


class KeyPair(Resource, module="lambdacloud", name="KeyPair"):
    """An ed25519 key pair. The private key is encrypted in the state."""

    private_key: pulumi.Output[str]
    public_key: pulumi.Output[str]

    def __init__(self, name: str, args: KeyPairArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"private_key": None, "public_key": None, **args}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["private_key"])
        super().__init__(
            PROVIDER,
            name,
            props,
            pulumi.ResourceOptions.merge(opts, secret),
        )
