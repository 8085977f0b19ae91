"""SSH keys of the account."""

import asyncio
import uuid

import asyncssh
from aiohttp import web
from pydantic import Field, field_validator

from localcloud.account.records import GONE, SshKeyRecord
from localcloud.api.audit import note
from localcloud.api.envelope import RequestBody, ok, path_id, read_body
from localcloud.api.errors import invalid_parameters, key_in_use, not_found
from localcloud.cloud import cloud_of

MOST_KEYS = 1024
"""How many an account may have, says Lambda's documentation."""


class NewKey(RequestBody):
    """A public key to register; without one the server makes a pair."""

    name: str = Field(min_length=1, max_length=64)
    public_key: str | None = Field(default=None, min_length=1, max_length=4096)

    @field_validator("public_key")
    @classmethod
    def _is_a_key(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                asyncssh.import_public_key(text.encode())
            except asyncssh.KeyImportError:
                raise ValueError("Input should be a valid SSH public key") from None
        return text


async def list_ssh_keys(request: web.Request) -> web.Response:
    """All keys."""
    return ok([key.model_dump() for key in cloud_of(request).store.ssh_keys.all()])


async def create_ssh_key(request: web.Request) -> web.Response:
    """Register a key, or make a pair and give its private half away, once."""
    asked = await read_body(request, NewKey)
    private = {}
    public_key = asked.public_key
    if public_key is None:
        # An RSA key takes a good part of a second to make.
        comment = asked.name if asked.name.isascii() and asked.name.isprintable() else None
        pair = await asyncio.to_thread(asyncssh.generate_private_key, "ssh-rsa", comment=comment)
        public_key = pair.export_public_key("openssh").decode().strip()
        private = {"private_key": pair.export_private_key("pkcs1-pem").decode()}
    cloud = cloud_of(request)
    keys = cloud.store.ssh_keys.all()
    if any(key.name == asked.name for key in keys):
        raise invalid_parameters("SSH key name must be unique.")
    if len(keys) >= MOST_KEYS:
        raise invalid_parameters(f"An account can have at most {MOST_KEYS} SSH keys.")
    key = SshKeyRecord(id=uuid.uuid4().hex, name=asked.name, public_key=public_key)
    with cloud.store.transaction():
        cloud.store.ssh_keys.put(key)
        note(cloud, "ssh_key", "created", [key.id])
    return ok(key.model_dump() | private)


async def delete_ssh_key(request: web.Request) -> web.Response:
    """Remove a key that no instance holds; one that is terminating still holds its key."""
    key_id = path_id(request)
    cloud = cloud_of(request)
    key = cloud.store.ssh_keys.get(key_id)
    if key is None:
        raise not_found()
    if any(key.name in one.ssh_key_names for one in cloud.store.instances.all() if one.status not in GONE):
        raise key_in_use()
    with cloud.store.transaction():
        cloud.store.ssh_keys.delete(key_id)
        note(cloud, "ssh_key", "deleted", [key_id])
    return ok({})
