"""Which versions are built from source together, and with how many compilers."""

import pytest

from components.vllm.release.install.source_pins import GIB, PINS, RefusedError, max_jobs, pins


def test_a_version_that_is_not_pinned_is_refused_with_those_that_are() -> None:
    with pytest.raises(RefusedError, match=r"0\.18\.0 is not pinned.*0\.33\.0, 0\.32\.0, 0\.19\.1, 0\.6\.3\.post1"):
        pins("0.18.0")


@pytest.mark.parametrize(
    ("cores", "gib", "jobs"),
    [(64, 432, 64), (64, 96, 24), (2, 24, 2), (30, 200, 30), (72, 7, 1), (1, 1, 1)],
)
def test_jobs_are_bounded_by_cores_and_by_memory(cores: int, gib: int, jobs: int) -> None:
    assert max_jobs(cores, gib * GIB) == jobs


def test_the_stock_driver_gets_a_torch_that_is_not_the_one_for_cpus() -> None:
    assert (pins("0.19.1").torch, pins("0.19.1").torch_backend, pins("0.19.1").triton) == ("2.10.0", "cu128", "3.6.0")


def test_cuda_and_driver_of_each_set_fit() -> None:
    oldest = {"13": 580, "12": 525}
    assert all(known.driver >= oldest[known.cuda.partition(".")[0]] for known in PINS)


def test_the_tutorials_own_version_is_capped_at_its_day() -> None:
    known = pins("0.6.3.post1")
    assert (known.exclude_newer, known.without) == ("2024-10-25", "pyairports")
