"""SSH keys, made on this computer: one to log in with, one that is the machine's own.

The machine gets its host key with its user data, so the first connection is checked already: nobody has to trust on
first use.
"""

from typing import Annotated, Any, ClassVar, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.cloud.checking import written
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties


class KeyPairInputs(Inputs):
    """What a pair is named by."""

    comment: Annotated[str, written(r"[^\x00-\x1f\x7f]{0,200}", "up to 200 characters on one line")] = ""


class KeyPairProvider(LambdaProvider[KeyPairInputs]):
    """Makes ed25519 pairs; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = KeyPairInputs

    def keeps(self, name: str, state: Properties, inputs: Properties) -> bool:
        """A comment is for people: another one, as after a renamed stack, is no reason for another key."""
        return name == "comment"

    def make(self, inputs: KeyPairInputs) -> Made:
        private_key, public_key = new_pair(inputs.comment)
        return Made(public_key, {"private_key": private_key, "public_key": public_key})


def new_pair(comment: str) -> tuple[str, str]:
    """A new ed25519 pair: the private key in OpenSSH's PEM form, the public key as one line."""
    # Only here, since only a new pair needs them.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} {comment}".rstrip()


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
        super().__init__(KeyPairProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
