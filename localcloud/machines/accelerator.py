"""What GPU machines say they compute with: the profile behind `nvidia-smi`. There is no GPU behind it."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from localcloud.errors import LocalCloudError

NONE = "none"
_PROFILES = Path(__file__).resolve().parent / "accelerators"


class Accelerator(BaseModel):
    """One model of GPU and the driver for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    memory_mib: int = Field(gt=0)
    compute_capability: str = Field(pattern=r"^\d+\.\d+$")
    driver_version: str
    cuda_version: str
    """The newest CUDA that the driver knows."""
    failure: str | None = None
    """What nvidia-smi says instead of anything else."""
    exit_status: int = Field(default=0, ge=0, le=255)
    """Of nvidia-smi when there is a failure."""


def profiles() -> list[str]:
    """Names of the profiles that come with the local cloud."""
    return sorted(path.stem for path in _PROFILES.glob("*.toml"))


def profile_file(profile: str) -> Path | None:
    """The file of a profile, given by its name or by the path of a file; None for `none`.

    Raises:
        LocalCloudError: there is no such profile and no such file.
    """
    if profile == NONE:
        return None
    for file in (_PROFILES / f"{profile}.toml", Path(profile).expanduser().absolute()):
        if file.is_file():
            return file
    known = ", ".join([NONE, *profiles()])
    raise LocalCloudError(f"accelerator {profile} is neither a profile ({known}) nor a file")


def read_accelerator(profile: str) -> Accelerator | None:
    """The accelerator of a profile; None for `none`.

    Raises:
        LocalCloudError: there is no such profile, or its file does not say what it has to.
    """
    file = profile_file(profile)
    if file is None:
        return None
    try:
        return Accelerator.model_validate(tomllib.loads(file.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LocalCloudError(f"accelerator file {file} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise LocalCloudError(f"accelerator file {file}: {place}: {first['msg']}") from None
