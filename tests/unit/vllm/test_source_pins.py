"""Which versions are built from source together, for which driver, with how many compilers."""

import pytest

from components.vllm.release.install.source_pins import GIB, PINS, RefusedError, max_jobs, pins, version_for


@pytest.mark.parametrize(
    ("driver", "version"),
    [("580.105.08", "0.32.0"), ("595.10", "0.32.0"), ("570.148.08", "0.19.1"), ("570.195.03", "0.19.1")],
)
def test_the_driver_says_which_version_it_allows(driver: str, version: str) -> None:
    assert version_for(driver) == version
    assert pins(version).driver <= int(driver.partition(".")[0])


@pytest.mark.parametrize("driver", ["550.54.15", "", "none"])
def test_a_driver_that_allows_none_is_refused(driver: str) -> None:
    with pytest.raises(RefusedError):
        version_for(driver)


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


def test_the_tutorials_own_version_is_capped_at_its_day_and_never_chosen_unasked() -> None:
    known = pins("0.6.3.post1")
    assert (known.exclude_newer, known.without) == ("2024-10-25", "pyairports")
    assert known.version not in {version_for("570"), version_for("580")}
