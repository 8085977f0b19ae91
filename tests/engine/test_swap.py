"""Another setting on a machine that serves: what is served then, what is told, and what is not touched."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from components.vllm.server import swap_command
from tests.support.polling import until
from tests.support.swap_machine import SwapMachine, own_ca, place, setting, swap_machine, told

OLD, NEW = setting("org/old"), setting("org/new")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SwapMachine]:
    with swap_machine(tmp_path) as made:
        yield made


@pytest.fixture
def serving(machine: SwapMachine) -> SwapMachine:
    """The same, when it serves the old model."""
    status, output = machine.up(OLD)
    assert status == 0, output
    return machine


def test_a_first_start_serves_and_says_what(machine: SwapMachine) -> None:
    status, output = machine.up(OLD)
    assert status == 0, output
    assert place(output) == ("org/old", "http", 8000)
    assert told(output).outage_seconds is None
    assert machine.served() == machine.named("last-known-good") == machine.named("current") == "org/old"
    (start,) = machine.timeline
    assert (start["why"], start["result"], start["outage"]) == ("first start", "served", None)


def test_another_model_is_served_in_its_place(serving: SwapMachine) -> None:
    status, output = serving.up(NEW)
    assert status == 0, output
    assert place(output) == ("org/new", "http", 8000)
    assert told(output).outage_seconds is not None
    assert serving.served() == "org/new"
    assert len(serving.servers) == 1
    assert [(start["why"], start["result"]) for start in serving.timeline][1:] == [("change", "served")]
    assert {"stages", "start", "at", "revision", "key"} <= serving.timeline[1].keys()


@pytest.mark.parametrize("by_hand", ["true", "systemctl --user disable lambda-vllm.service"])
def test_it_comes_back_after_a_reboot_whatever_was_done_by_hand_before(serving: SwapMachine, by_hand: str) -> None:
    assert serving.run(by_hand)[0] == 0
    assert serving.up(NEW)[0] == 0
    serving.reboot()
    until(lambda: serving.served() == "org/new")


def test_a_setting_that_is_served_already_is_not_touched(serving: SwapMachine) -> None:
    before = serving.servers
    status, output = serving.up(OLD, timeout_s=61)
    assert (status, serving.servers) == (0, before), output
    assert "is served with these settings already" in output
    assert place(output) == ("org/old", "http", 8000)


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("crash", "the model is larger than the GPU's memory"),
        ("open", "the server answers without the key"),
        ("other-name", "the server lists other/name, not org/new"),
    ],
)
def test_one_that_is_no_good_gives_way_to_the_old_one(serving: SwapMachine, behaviour: str, told: str) -> None:
    status, output = serving.up(setting("org/new", behaviour=behaviour))
    assert status == 1
    assert "org/old is served again as before after " in output
    assert told in output
    assert serving.served() == serving.named("current") == "org/old"
    assert len(serving.servers) == 1
    before = serving.servers
    status, output = serving.up(OLD)
    assert (status, serving.servers) == (0, before), output


def test_a_failure_that_could_not_be_written_down_is_told_nevertheless(serving: SwapMachine) -> None:
    faulty = setting("org/new", behaviour="crash")
    serving.stage(faulty)
    # As on a full disk: `failed` cannot be written.
    (serving.settings / "generations" / faulty.key / ".failed.new").mkdir()
    status, output = serving.up(faulty)
    assert status == 1
    assert "org/old is served again as before" in output
    assert "the service went back without a word; is the machine's disk full?" in output


def test_a_restart_that_systemd_refuses_is_told_and_the_old_one_serves_on(serving: SwapMachine) -> None:
    before = serving.servers
    serving.fail_restarts()
    status, output = serving.up(NEW)
    assert status == 1
    assert "systemd did not restart the service, org/old is served as before" in output
    assert (serving.served(), serving.servers, serving.named("current")) == ("org/old", before, "org/old")


def test_a_busy_server_that_serves_what_is_wanted_is_not_started_anew(machine: SwapMachine) -> None:
    busy = setting("org/old", busy_while="busy")
    assert machine.up(busy)[0] == 0
    before = machine.servers
    (machine.home / "busy").touch()
    machine.stage(busy)
    with machine.start(swap_command(busy.key, 60)) as asked:
        until(lambda: (machine.home / "refused").exists())
        (machine.home / "busy").unlink()
        output, _ = asked.communicate(timeout=60)
    assert (asked.returncode, machine.servers) == (0, before), output
    assert "is served with these settings already" in output


def test_one_that_does_not_get_ready_in_time_gives_way_to_the_old_one(serving: SwapMachine) -> None:
    status, output = serving.up(setting("org/new", behaviour="hang"), timeout_s=8)
    assert status == 1
    assert "was not ready after 8 s, its stage was: loading the weights; raise startTimeoutMinutes" in output
    assert serving.served() == "org/old"
    assert len(serving.servers) == 1


def test_where_the_old_one_does_not_come_back_either_it_is_said_and_it_is_tried_on(machine: SwapMachine) -> None:
    old = setting("org/old", crash_while="broken")
    assert machine.up(old)[0] == 0
    (machine.home / "broken").touch()
    status, output = machine.up(setting("org/new", behaviour="crash"))
    assert status == 1
    assert "NO MODEL IS SERVED: the last good settings do not come up either" in output
    (machine.home / "broken").unlink()
    machine.until_served("org/old")
    assert machine.named("current") == "org/old"


def test_one_that_vllm_refuses_is_found_while_the_old_one_serves_on(serving: SwapMachine) -> None:
    before = serving.servers
    status, output = serving.up(setting("org/new", behaviour="refused"))
    assert status == 1
    assert "this vLLM does not know --behaviour refused" in output
    assert "org/old is served as before, nothing was stopped" in output
    assert (serving.served(), serving.servers) == ("org/old", before)
    assert serving.named("current") == "org/old"


def test_a_first_setting_that_fails_is_not_tried_again_by_itself(machine: SwapMachine) -> None:
    status, output = machine.up(setting("org/old", behaviour="crash"))
    assert status == 1
    assert "swap failed: the model server failed: the model is larger than the GPU's memory" in output
    assert machine.servers == set()
    assert machine.state["doing"] == "failed"
    status, output = machine.up(OLD)
    assert (status, machine.served()) == (0, "org/old"), output


def test_a_first_setting_that_is_slow_goes_on_and_the_next_up_follows_it(machine: SwapMachine) -> None:
    slow = setting("org/old", load_seconds=12)
    status, output = machine.up(slow, timeout_s=2)
    assert status == 1
    assert "it goes on: run `pulumi up` again" in output
    until(lambda: machine.servers)
    before = machine.servers
    status, output = machine.up(slow, timeout_s=60)
    assert (status, machine.servers) == (0, before), output
    assert len(machine.timeline) == 1


def test_a_server_that_does_not_end_is_ended(machine: SwapMachine) -> None:
    machine.up(setting("org/old", behaviour="stubborn"))
    before = machine.servers
    status, output = machine.up(NEW)
    assert (status, machine.served()) == (0, "org/new"), output
    assert not machine.servers & before
    assert len(machine.processes("EngineCore")) == 1


def test_a_request_for_another_setting_ends_the_one_under_way(serving: SwapMachine) -> None:
    with serving.begin(setting("org/stuck", behaviour="hang")) as first:
        until(lambda: serving.state.get("why") == "change")
        status, output = serving.up(NEW)
        said, _ = first.communicate(timeout=60)
    assert (status, serving.served()) == (0, "org/new"), output
    assert "other settings were asked for meanwhile" in said
    assert len(serving.servers) == 1


def test_going_back_while_the_new_one_loads_brings_the_old_one(serving: SwapMachine) -> None:
    with serving.begin(setting("org/stuck", behaviour="hang")) as first:
        until(lambda: serving.state.get("why") == "change")
        status, output = serving.up(OLD)
        first.communicate(timeout=60)
    assert (status, serving.served()) == (0, "org/old"), output


def test_over_tls_the_machine_itself_checks_the_certificate(serving: SwapMachine, tmp_path: Path) -> None:
    certificate, ca = own_ca(["localhost"])
    (serving.settings / "tls.pem").write_bytes(certificate)
    (serving.settings / "ca.pem").write_bytes(ca)
    status, output = serving.up(setting("org/old", has_tls=True))
    assert status == 0, output
    assert place(output) == ("org/old", "https", 8000)
    unchecked = ssl._create_unverified_context()
    assert serving.served("https", unchecked) == "org/old"


def test_a_certificate_of_somebody_else_is_no_success_and_is_told_long_before_the_time_is_up(
    serving: SwapMachine,
) -> None:
    certificate, _ = own_ca(["localhost"])
    (serving.settings / "tls.pem").write_bytes(certificate)
    (serving.settings / "ca.pem").write_bytes(own_ca(["localhost"])[1])
    status, output = serving.up(setting("org/old", has_tls=True), timeout_s=3600)
    assert status == 1, output
    assert "the new settings failed: the server shows a certificate that is not this stack's" in output
    assert serving.served() == "org/old"


def test_a_server_that_has_served_is_not_ended_for_its_certificate_and_serves_on_with_the_next(
    machine: SwapMachine,
) -> None:
    good, ca = own_ca(["localhost"])
    (machine.settings / "tls.pem").write_bytes(good)
    (machine.settings / "ca.pem").write_bytes(ca)
    wanted = setting("org/old", has_tls=True)
    assert machine.up(wanted)[0] == 0
    (machine.settings / "ca.pem").write_bytes(own_ca(["localhost"])[1])
    machine.reboot()
    until(lambda: "the server shows a certificate that is not this stack's" in machine.state.get("trouble", ""))
    before = machine.servers
    status, output = machine.up(wanted, timeout_s=3600)
    assert status == 1
    assert "org/old runs with these settings, but the server shows a certificate that is not this stack's" in output
    (machine.settings / "ca.pem").write_bytes(ca)
    status, output = machine.up(wanted, timeout_s=3600)
    assert (status, machine.servers) == (0, before), output
    assert place(output) == ("org/old", "https", 8000)


def test_an_environment_that_the_good_setting_is_served_from_is_used_when_going_back(serving: SwapMachine) -> None:
    serving.install("vllm-0.33.0-cpu", "another")
    status, _ = serving.up(replace(setting("org/new", behaviour="crash"), environment_key="another"))
    assert (status, serving.served()) == (1, "org/old")
    assert (serving.settings / "current/venv").resolve().name == "vllm-0.32.0-cpu"


def test_an_install_whose_up_was_killed_is_not_what_other_settings_are_served_from(serving: SwapMachine) -> None:
    serving.install("vllm-0.33.0-cpu", "another")
    for asked in (OLD, NEW):
        assert serving.up(asked)[0] == 0
        assert (serving.settings / "current/venv").resolve().name == "vllm-0.32.0-cpu"


def test_settings_that_failed_can_be_asked_for_again_after_an_up_for_others_was_killed(serving: SwapMachine) -> None:
    faulty = setting("org/faulty", behaviour="crash")
    assert serving.up(faulty)[0] == 1
    serving.stage(NEW)
    status, output = serving.up(faulty)
    assert status == 1
    assert "the new settings failed" in output


def test_settings_that_are_gone_are_said_to_be(serving: SwapMachine) -> None:
    status, output = serving.run(swap_command("gone", 60))
    assert status == 1
    assert "these settings are not on this machine any more" in output
    assert serving.served() == "org/old"


def test_secrets_of_the_setting_are_readable_by_the_user_alone(serving: SwapMachine) -> None:
    for file in (serving.settings / "current").resolve().iterdir():
        if not file.is_symlink():
            assert file.stat().st_mode & 0o077 == 0, file
