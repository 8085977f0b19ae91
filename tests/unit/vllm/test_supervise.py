"""What the service says of starts that came to nothing; tests/engine has it at work."""

from pathlib import Path

import pytest

from components.vllm.scripts import supervise
from components.vllm.scripts.generations import Generation
from components.vllm.scripts.service_state import boot_id
from components.vllm.scripts.supervise import Start, Supervisor

TEXTS = {
    "vllm.yaml": '{"model": "a/b", "port": 8000}',
    "server.env": "",
    "setting.json": '{"start_timeout_seconds": 60}',
}


@pytest.fixture
def service(tmp_path: Path) -> Supervisor:
    """One with a setting named `key`, whose earlier start has left a log."""
    service = Supervisor(tmp_path)
    for folder in (service.generations.settings, service.base / "logs"):
        folder.mkdir(parents=True)
    service.generations.write("key", TEXTS, tmp_path)
    (service.base / "logs/vllm.log").write_text("Starting to load model a/b...\n")
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
    kept = service.base / "logs/failed.log"
    assert service.generations.failure("key") == f"{told} (whole log on the machine: {kept})"
    assert kept.read_text() == "Starting to load model a/b...\n"
    assert service.last_trouble == told


def test_a_failure_that_is_known_already_is_not_told_anew(service: Supervisor) -> None:
    service.generations.give_up("key", "out of memory")
    service.give_up("key")
    assert service.generations.failure("key") == "out of memory"
    assert not (service.base / "logs/failed.log").exists()


def test_a_machine_that_cannot_start_a_process_says_so(service: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_: object) -> None:
        service.log.begin()
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(supervise, "ServerProcess", no_process)
    start = Start(service, generation(service), False, "")
    start.run()
    told = "the model server could not be started: [Errno 12] Cannot allocate memory"
    kept = service.base / "logs/failed.log"
    assert start.trouble == f"{told} (whole log on the machine: {kept})"
    assert kept.read_text() == f"error: {told}\n"
    assert f'"trouble": "{start.trouble}"' in (service.base / "timeline.jsonl").read_text()


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
