"""Makes SSH key pairs, for `KeyPair`."""

from typing import Annotated, ClassVar

from components.dynamic.inputs import Inputs, Properties, written
from components.dynamic.provider import Created, DynamicProvider


class KeyPairInputs(Inputs):
    """What a pair is named by."""

    comment: Annotated[str, written(r"[^\x00-\x1f\x7f]{0,200}", "up to 200 characters on one line")] = ""


class KeyPairProvider(DynamicProvider[KeyPairInputs]):
    """Makes ed25519 pairs; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = KeyPairInputs

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """A comment is for people: another one, as after a renamed stack, is no reason for another key."""
        return name == "comment"

    def create_resource(self, inputs: KeyPairInputs) -> Created:
        private_key, public_key = new_pair(inputs.comment)
        return Created(public_key, {"private_key": private_key, "public_key": public_key})


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
