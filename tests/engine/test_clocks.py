"""A computer whose clock is wrong: what is told, when, and that it does no harm where it need not."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_cli import REPOSITORY
from tests.support.pulumi_project import Project

AHEAD = REPOSITORY / "tests/support/clock_ahead"


@pytest.fixture
def lambdas_clock(cloud: LocalCloud) -> Iterator[LocalCloud]:
    """A cloud whose clock is set right in the end."""
    yield cloud
    cloud.control("PUT", "/clock", {"ahead_seconds": 0})


def test_a_clock_two_hours_ahead_is_told_at_the_first_contact_and_the_endpoint_is_up_all_the_same(
    with_tls: Project,
) -> None:
    with_tls.set_environment(PYTHONPATH=str(AHEAD), CLOCK_AHEAD_HOURS="2")
    done = with_tls.up()
    told = r"the clock of the computer that runs pulumi is (1 h 5\d|2 h 00) min ahead of this machine's: set it"
    assert re.search(told, done.output), done.output
    assert "this computer's clock is 2 h 00 min ahead of the machine's: set it" in done.output
    assert with_tls.outputs()["reachable"] == "from here"
    with_tls.set_environment(PYTHONPATH="", CLOCK_AHEAD_HOURS="")
    with_tls.pulumi("preview", "--expect-no-changes")


def test_a_clock_months_ahead_fails_in_one_line_before_anything_is_served(with_tls: Project) -> None:
    with_tls.set_environment(PYTHONPATH=str(AHEAD), CLOCK_AHEAD_HOURS=str(24 * 60))
    failed = with_tls.up(succeeds=False)
    assert "certificate: the server would show a certificate that counts from" in failed.output
    assert re.search(r"`pulumi up` is (59 days 23 h 5\d|60 days 0 h 00) min ahead of that: set it", failed.output)
    with_tls.set_environment(PYTHONPATH="", CLOCK_AHEAD_HOURS="")
    with_tls.up()
    assert with_tls.outputs()["reachable"] == "from here"


@pytest.mark.long
def test_a_clock_most_of_a_year_ahead_harms_nothing_that_is_served(with_tls: Project, cloud: LocalCloud) -> None:
    with_tls.up()
    before = with_tls.outputs()
    # A year ahead the certificate is due, and the one that is made then is of no use yet.
    with_tls.set_environment(PYTHONPATH=str(AHEAD), CLOCK_AHEAD_HOURS=str(24 * 300))
    assert "ahead of that: set it" in with_tls.up(succeeds=False).output
    pem = cloud.home(before["instance_id"]) / ".config/lambda-vllm/tls.pem"
    with_tls.set_environment(PYTHONPATH="", CLOCK_AHEAD_HOURS="")
    shown = pem.read_text()
    with_tls.up()
    after = with_tls.outputs()
    assert after["ca_certificate"] == before["ca_certificate"]
    assert (after["serial"] == before["serial"]) is False
    assert pem.read_text() != shown
    with_tls.pulumi("preview", "--expect-no-changes")


def test_a_clock_that_is_not_lambdas_is_told_in_the_preview_with_the_offset(
    real_project: Project, lambdas_clock: LocalCloud
) -> None:
    assert "clock" not in real_project.pulumi("preview").output
    for ahead_s, told in ((-7200, "2 h 00 min ahead of"), (5400, "1 h 30 min behind")):
        lambdas_clock.control("PUT", "/clock", {"ahead_seconds": ahead_s})
        preview = real_project.pulumi("preview").output
        assert f"warning: this computer's clock is {told} Lambda's: set it" in preview, preview


def test_programs_read_it_among_the_warnings(real_project: Project, lambdas_clock: LocalCloud) -> None:
    lambdas_clock.control("PUT", "/clock", {"ahead_seconds": -7200})
    words = f"--json --api-url {lambdas_clock.url} --hf-endpoint {lambdas_clock.url}"
    said = json.loads(real_project.shell(f"python -m components.vllm.preflight {words}"))
    assert any("2 h 00 min ahead of Lambda's" in line for line in said["warnings"])
