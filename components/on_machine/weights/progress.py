"""How far a long piece of work on bytes is, said now and then."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from components.on_machine.shared.clock import now
from components.on_machine.shared.work import saying

REPORT_S = 10.0


def amount(count: float) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def progress(doing: str, done: float, before: float, total: float, seconds: float) -> str:
    """One line: bytes done of all, and by the bytes done `seconds` before, the rate and the time left."""
    rate = max(0.0, done - before) / seconds if seconds > 0 else 0.0
    line = f"{doing}: {amount(min(done, total))} of {amount(total)}, {rate / 1e6:.1f} MB/s"
    if not rate:
        return f"{line}, nothing came lately"
    left = max(0.0, total - done) / rate
    return f"{line}, {left:.0f} s left" if left < 120 else f"{line}, {left / 60:.0f} min left"


def reporting(
    doing: str, done: Callable[[], int], total: Callable[[], int], *, every_s: float = REPORT_S
) -> AbstractContextManager[None]:
    """Say every some seconds how far it is, while what is inside goes on."""
    before, at = done(), now()

    def line() -> str:
        nonlocal before, at
        have, clock = done(), now()
        told = progress(doing, have, before, total(), clock - at)
        before, at = have, clock
        return told

    return saying(line, every_s)
