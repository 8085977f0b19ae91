"""The secrets of the account: made at the first start, kept for as long as the state is."""

import secrets
import string
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from localcloud.errors import LocalCloudError
from localcloud.state import write_private


class Credentials(BaseModel):
    """Lambda's API key, and two Hugging Face tokens: the second one is valid, but its owner accepted no licence."""

    model_config = ConfigDict(frozen=True)

    api_key: str
    hf_token: str
    hf_token_without_access: str


def load_or_create(path: Path) -> Credentials:
    """The credentials in the file, made now when there is no file.

    Raises:
        LocalCloudError: the file is there and cannot be read as credentials.
    """
    if not path.exists():
        credentials = Credentials(
            api_key=f"secret_local_{secrets.token_hex(16)}.{secrets.token_hex(16)}",
            hf_token=_hf_token(),
            hf_token_without_access=_hf_token(),
        )
        write_private(path, credentials.model_dump_json(indent=2) + "\n")
    return read(path)


def read(path: Path) -> Credentials:
    """The credentials in the file.

    Raises:
        LocalCloudError: there is no such file, or it does not hold credentials.
    """
    try:
        return Credentials.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise LocalCloudError(f"{path} holds no credentials; `down` clears the state away") from None


def _hf_token() -> str:
    return "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))
