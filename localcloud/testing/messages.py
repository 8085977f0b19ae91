"""What a test session and its server say to each other: a line of JSON each, an answer for every order.

The server reads from a pipe that the kernel closes when the session ends, however it ends; that is its sign to clear
everything away.
"""

from pydantic import BaseModel, ConfigDict


class Order(BaseModel):
    """Close the account that is open, if there is one, and open another unless told not to."""

    model_config = ConfigDict(frozen=True)

    open: bool


class Answer(BaseModel):
    """The account that is open now, or in one line why there is none."""

    model_config = ConfigDict(frozen=True)

    url: str = ""
    api_key: str = ""
    hf_token: str = ""
    hf_token_without_access: str = ""
    ssh_port: int = 0
    error: str = ""
