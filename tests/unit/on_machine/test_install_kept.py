"""Which environments stay on a machine, and how they are found."""

from pathlib import Path

import pytest

from components.on_machine.install import keep
from components.on_machine.shared.paths import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def environment(places: Places, name: str, *, proven: bool = True) -> Path:
    venv = places.venvs / name
    venv.mkdir(parents=True)
    if proven:
        keep.mark_proven(venv)
    return venv


def serve(places: Places, venv: Path, generation: str = "good") -> None:
    """Let a setting that may be served again name it."""
    folder = places.generations / generation
    folder.mkdir(parents=True)
    (folder / "venv").symlink_to(venv)


def names(places: Places) -> list[str]:
    return sorted(path.name for path in places.venvs.iterdir())


def test_what_nobody_proved_and_nobody_uses_is_removed(places: Places) -> None:
    keep.switch(places, environment(places, "used", proven=False))
    serve(places, environment(places, "served", proven=False))
    environment(places, "proven")
    environment(places, "half", proven=False)
    keep.remove_unproven(places, environment(places, "to-come", proven=False))
    assert names(places) == ["proven", "served", "to-come", "used"]


def test_a_machine_without_environments_has_none_to_remove(places: Places) -> None:
    keep.remove_unproven(places, places.venvs / "to-come")


def test_the_one_in_use_until_now_stays_and_those_of_settings_that_may_be_served_again(places: Places) -> None:
    for name in ("first", "second", "third"):
        places.base.mkdir(parents=True, exist_ok=True)
        keep.switch(places, environment(places, name))
        if name == "first":
            serve(places, places.venvs / name)
    assert names(places) == ["first", "second", "third"]
    keep.switch(places, environment(places, "fourth"))
    assert names(places) == ["first", "fourth", "third"]
    assert places.venv.samefile(places.venvs / "fourth")


def test_the_one_in_use_is_used_on_and_the_one_before_it_stays(places: Places) -> None:
    keep.switch(places, environment(places, "first"))
    keep.switch(places, environment(places, "second"))
    keep.switch(places, places.venvs / "second")
    assert names(places) == ["first", "second"]


def test_an_environment_that_proves_nothing_any_more_is_made_anew(places: Places) -> None:
    venv = environment(places, "venv")
    keep.doubt(places, venv)
    assert not keep.is_proven(venv)
    keep.doubt(places, venv)


def test_one_from_which_a_model_is_served_is_not_doubted(places: Places) -> None:
    """The memory that the proof wants may be the model's."""
    venv = environment(places, "venv")
    serve(places, venv)
    keep.doubt(places, venv)
    assert keep.is_proven(venv)


def test_an_install_is_found_by_its_key_as_long_as_its_environment_is_there(places: Places) -> None:
    venv = environment(places, "venv")
    places.installs.mkdir()
    (places.installs / "gone").symlink_to(places.venvs / "gone")
    (places.installs / "other").symlink_to(environment(places, "other"))
    keep.link_install(places, "this", venv)
    assert sorted(link.name for link in places.installs.iterdir()) == ["other", "this"]
    assert (places.installs / "this").samefile(venv)


def test_a_key_leads_to_what_was_installed_last_under_it(places: Places) -> None:
    keep.link_install(places, "this", environment(places, "first"))
    keep.link_install(places, "this", environment(places, "second"))
    assert (places.installs / "this").samefile(places.venvs / "second")


def test_an_install_by_hand_makes_no_link(places: Places) -> None:
    places.base.mkdir(parents=True)
    keep.link_install(places, "", environment(places, "venv"))
    assert list(places.installs.iterdir()) == []
