"""The endpoint on a machine that is one, with systemd and a firewall: all of it is real but vLLM.

With vLLM: tests/e2e/test_debian_machine.py.
"""

from pathlib import Path

import pytest

from tests.support.debian_stack import assert_serves_behind_its_firewall, debian_stack
from tests.support.nspawn_cloud import NEEDS_NSPAWN
from tests.support.small_endpoint import use_small_endpoint

pytestmark = [pytest.mark.timeout(600), NEEDS_NSPAWN]


def test_a_debian_machine_serves_behind_its_firewall_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    with debian_stack(tmp_path, use_small_endpoint) as made:
        assert_serves_behind_its_firewall(made, tmp_path)
