"""Bytes into lines."""


class LineSplitter:
    """Cuts a stream of bytes into lines, without their ends; a line may be of any length.

    `\\n` and `\\r\\n` end a line, a lone `\\r` does not, as in the official plugin (Go's `bufio.ScanLines`).
    """

    def __init__(self) -> None:
        self._partial: list[bytes] = []

    def feed(self, data: bytes) -> list[str]:
        """The lines that the data completes."""
        *complete, rest = data.split(b"\n")
        lines = []
        for end in complete:
            lines.append(self._line(end))
            self._partial = []
        if rest:
            self._partial.append(rest)
        return lines

    def finish(self) -> list[str]:
        """What is left when the stream has ended without a line end."""
        return [self._line(b"")] if self._partial else []

    def _line(self, end: bytes) -> str:
        return b"".join([*self._partial, end]).removesuffix(b"\r").decode(errors="replace")
