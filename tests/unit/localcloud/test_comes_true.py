"""Waiting for what really takes its time; here it takes none, as nothing may sleep."""

from localcloud.clock import comes_true


def test_what_is_true_already_is_not_waited_for() -> None:
    assert comes_true(lambda: True, within=-1.0, every=60.0)


def test_what_is_not_true_in_time_is_looked_at_once_at_least() -> None:
    looks = iter([False])
    assert not comes_true(lambda: next(looks), within=-1.0, every=60.0)
    assert not list(looks)
