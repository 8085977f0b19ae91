"""What has to be known of a model to serve it: found once, kept in the state with the commit."""

import json
from dataclasses import dataclass
from typing import Any

from components.model.hub.checkpoint import Checkpoint
from components.model.hub.files import download_excludes
from components.model.sizing.shape import ModelShape, ShapeError, shape_of


@dataclass(frozen=True)
class ModelFacts:
    """A model at the commit that is served."""

    model: str
    """`owner/repository`, as the hub spells it now."""
    commit: str
    """40 hexadecimal digits."""
    files: int
    download_bytes: int
    excludes: tuple[str, ...]
    """Patterns of what is not downloaded, as `hf download --exclude` takes them."""
    shape: ModelShape | None
    """None when the repository does not say enough to reckon with; then vLLM finds out."""
    unknown: str = ""
    """Why there is no shape, in one line."""

    def to_json(self) -> str:
        """As text, the same for the same facts."""
        plain: dict[str, Any] = {**vars(self), "shape": self.shape.to_json() if self.shape else None}
        return json.dumps(plain, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelFacts":
        """The facts in a text of `to_json`; those of another version of this program may be without a shape."""
        plain: dict[str, Any] = json.loads(text)
        shape = None
        try:
            shape = ModelShape.from_json(plain["shape"]) if plain["shape"] else None
        except ShapeError as error:
            plain["unknown"] = str(error)
        return cls(**{**plain, "shape": shape, "excludes": tuple(plain["excludes"])})


def facts_of(checkpoint: Checkpoint) -> ModelFacts:
    """The facts of a checkpoint."""
    shape, unknown = None, ""
    try:
        shape = shape_of(checkpoint)
    except ShapeError as error:
        unknown = str(error)
    return ModelFacts(
        model=checkpoint.model,
        commit=checkpoint.commit,
        files=len(checkpoint.files),
        download_bytes=checkpoint.download_bytes,
        excludes=download_excludes(file.path for file in checkpoint.files),
        shape=shape,
        unknown=unknown,
    )
