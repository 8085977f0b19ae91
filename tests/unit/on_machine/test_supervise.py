"""What the service says of starts that came to nothing; tests/engine has it at work."""

from pathlib import Path
from typing import ClassVar

import pytest

from components.on_machine.service import supervise
from components.on_machine.service.generations import Generation
from components.on_machine.service.probe import TrustError
from components.on_machine.service.state import State
from components.on_machine.service.supervise import Start, Supervisor
from components.on_machine.shared.clock import boot_id

TEXTS = {
    "vllm.yaml": '{"model": "a/b", "port": 8000}',
    "setting.json": '{"start_timeout_seconds": 60, "environment": {}}',
}


@pytest.fixture
def service(tmp_path: Path) -> Supervisor:
    """One with a setting named `key`, whose earlier start has left a log."""
    service = Supervisor(tmp_path)
    for folder in (service.generations.settings, service.generations.places.logs):
        folder.mkdir(parents=True)
    service.generations.write("key", TEXTS, tmp_path)
    service.generations.places.log.write_text("Starting to load model a/b...\n")
    return service


def generation(service: Supervisor) -> Generation:
    return service.generations.get("key")


@pytest.mark.parametrize(
    ("boot", "told"),
    [
        (boot_id(), "the service was stopped or killed before it was ready"),
        ("another boot", "the machine was restarted before it was ready"),
        ("", "the service was stopped or killed before it was ready"),
    ],
)
def test_an_interrupted_start_is_told_with_what_interrupted_it_and_its_log(
    service: Supervisor, boot: str, told: str
) -> None:
    service.generations.note_try("key", boot)
    service.give_up("key")
    kept = service.generations.places.logs / "failed.log"
    assert service.generations.failure("key") == f"{told} (whole log on the machine: {kept})"
    assert kept.read_text() == "Starting to load model a/b...\n"
    assert service.last_trouble == told


def test_a_failure_that_is_known_already_is_not_told_anew(service: Supervisor) -> None:
    service.generations.give_up("key", "out of memory")
    service.give_up("key")
    assert service.generations.failure("key") == "out of memory"
    assert not (service.generations.places.logs / "failed.log").exists()


def test_a_machine_that_cannot_start_a_process_says_so(service: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_: object) -> None:
        service.log.begin()
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(supervise, "ServerProcess", no_process)
    start = Start(service, generation(service), False, "")
    start.run()
    told = "the model server could not be started: [Errno 12] Cannot allocate memory"
    kept = service.generations.places.logs / "failed.log"
    assert start.trouble == f"{told} (whole log on the machine: {kept})"
    assert kept.read_text() == f"error: {told}\n"
    assert f'"trouble": "{start.trouble}"' in service.generations.places.timeline.read_text()


def test_a_service_that_gives_up_says_what_the_last_server_ended_with(
    service: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "PAUSES_S", (0, 0))

    def no_process(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(supervise, "ServerProcess", no_process)
    service.generations.prove("key")
    assert service.run() == 1
    assert service.state.read().doing == "failed"
    assert "could not be started" in service.state.read().trouble


class FakeServer:
    """A process that runs until it is ended."""

    ended: ClassVar[list[bool]] = []
    exit_status = 0

    def __init__(self, *_: object) -> None:
        self.ended.clear()

    def has_ended(self) -> bool:
        return bool(self.ended)

    def end(self, drain: bool) -> None:
        self.ended.append(drain)

    def sweep(self) -> None:
        """Nothing is left of it."""


def test_a_server_that_was_distrusted_for_long_serves_on_once_it_is_trusted(
    service: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time to get ready begins anew: that clients did not trust it was not its own slowness."""
    time = [1000.0]
    answers: list[object] = [TrustError("it ended"), TrustError("it ended"), False, True]

    class FakeProbe:
        is_up = False

        def __init__(self, *_: object) -> None:
            self.asked = iter(answers)

        def is_ready(self) -> bool:
            # Far longer than a start may take, each time.
            answer = next(self.asked)
            if isinstance(answer, Exception):
                time[0] += 10_000
                raise answer
            return bool(answer)

    monkeypatch.setattr(supervise, "ServerProcess", FakeServer)
    monkeypatch.setattr(supervise, "Probe", FakeProbe)
    monkeypatch.setattr(supervise, "PROBE_S", 0)
    monkeypatch.setattr(supervise, "now", lambda: time[0])
    monkeypatch.setattr(supervise, "check_offload", lambda *_, **__: None)
    service.generations.prove("key")
    start = Start(service, generation(service), True, "")
    told = service.state.write

    def write(state: State) -> None:
        told(state)
        if state.doing == "serving":
            service.end()

    monkeypatch.setattr(service.state, "write", write)
    start.run()
    assert start.served
    assert start.trouble == ""
