"""Minutes and dollars until the first token: guesses, whose parts follow from what is done."""

import pytest

from components.vllm.forecast import BOOT_MINUTES, INSTALL_MINUTES, forecast

GH200 = 2.29


def test_a_small_download_hides_behind_the_install() -> None:
    nothing, small = forecast(GH200, 0, 15), forecast(GH200, 16_000_000_000, 15)
    assert nothing.minutes == small.minutes


def test_a_large_download_is_waited_for() -> None:
    large = forecast(GH200, 141_000_000_000, 131)
    assert large.minutes > forecast(GH200, 16_000_000_000, 131).minutes
    # 141 GB at 150 MB/s.
    assert large.minutes > 141_000 / 150 / 60


def test_the_boot_is_waited_for_and_not_paid() -> None:
    ahead = forecast(GH200, 0, 0)
    assert ahead.dollars == pytest.approx((ahead.minutes - BOOT_MINUTES) / 60 * GH200)


def test_a_source_build_takes_as_much_longer_as_it_does() -> None:
    difference = forecast(GH200, 0, 0, install="source").minutes - forecast(GH200, 0, 0).minutes
    assert difference == pytest.approx(INSTALL_MINUTES["source"] - INSTALL_MINUTES["wheel"])


def test_offload_and_a_driver_upgrade_take_time_of_their_own() -> None:
    plain = forecast(GH200, 0, 80).minutes
    assert forecast(GH200, 0, 80, cpu_offload_gib=52).minutes > plain + 1
    assert forecast(GH200, 0, 80, upgrades_driver=True).minutes > plain + 5
