"""A file of a repository on the wire."""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import ETag, web


class HubFile(web.FileResponse):
    """A file under the ETag in its headers, where aiohttp would make one from the time of the file on disk."""

    def __init__(self, file: Path, headers: Mapping[str, str]) -> None:
        super().__init__(file, headers=dict(headers))
        self.file = file

    @property
    def etag(self) -> ETag | None:
        return super().etag

    @etag.setter
    def etag(self, value: ETag | str | None) -> None:
        """Leave the ETag as it is."""
