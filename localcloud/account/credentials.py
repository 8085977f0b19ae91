"""The secrets of the account: made at the first start, kept for as long as the state is."""

import secrets
import string
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from localcloud.errors import LocalCloudError
from localcloud.files import replace_file


def _hf_token() -> str:
    return "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))


class Credentials(BaseModel):
    """Lambda's API key, and a Hugging Face token for each way of being let in or not.

    All tokens are valid. State of an earlier release lacks the last two, which are made when it is loaded.
    """

    model_config = ConfigDict(frozen=True)

    api_key: str
    hf_token: str
    hf_token_without_access: str
    """Its owner accepted no licence."""
    hf_token_awaiting_review: str = Field(default_factory=_hf_token)
    """Its owner asked for access and has had no answer."""
    hf_token_fine_grained: str = Field(default_factory=_hf_token)
    """Its owner accepted every licence, but the token may not read gated repositories."""


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
    else:
        credentials = read(path)
    # Also what was read: it may lack a token that a later release has.
    replace_file(path, credentials.model_dump_json(indent=2) + "\n")
    return credentials


def read(path: Path) -> Credentials:
    """The credentials in the file.

    Raises:
        LocalCloudError: there is no such file, or it does not hold credentials.
    """
    try:
        return Credentials.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise LocalCloudError(f"{path} holds no credentials; `down` clears the state away") from None
