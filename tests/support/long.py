"""Which cases of a promise are tried in every run, and which only by `make test-long`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def cases(every: Iterable[tuple[str, Any]], always: Collection[str]) -> list[Any]:
    """Parameters with their names, in their order; those that are not in `always` are long.

    A tuple stands for as many arguments.
    """
    every = list(every)
    assert set(always) <= {name for name, _ in every}
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            id=name,
            marks=() if name in always else pytest.mark.long,
        )
        for name, value in every
    ]
