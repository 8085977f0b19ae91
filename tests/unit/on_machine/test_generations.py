"""Which setting a machine serves, decided by the marks on its disk alone."""

from pathlib import Path

import pytest

from components.on_machine.service.generations import FILES, Choice, Generations, choose


@pytest.mark.parametrize(
    ("current", "good", "was_tried", "chosen"),
    [
        (None, None, False, None),
        ("new", None, False, Choice("new", False)),
        ("new", None, True, Choice("new", False)),
        ("new", "old", False, Choice("new", False)),
        ("new", "old", True, Choice("old", True, given_up="new")),
        ("old", "old", False, Choice("old", True)),
        ("old", "old", True, Choice("old", True)),
        (None, "old", False, Choice("old", True)),
    ],
)
def test_an_unproven_setting_has_one_try_where_there_is_another_to_go_back_to(
    current: str | None, good: str | None, was_tried: bool, chosen: Choice | None
) -> None:
    assert choose(current, good, was_tried) == chosen


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    made = Generations(tmp_path)
    made.settings.mkdir(parents=True)
    for key in ("old", "new"):
        made.write(key, dict.fromkeys(FILES, "{}"), tmp_path / "venv")
    made.want("old")
    made.switch_to("old")
    made.prove("old")
    made.write("new", dict.fromkeys(FILES, "{}"), tmp_path / "venv")
    made.want("new")
    return made


def test_a_setting_that_was_started_once_and_not_proven_is_not_started_again(generations: Generations) -> None:
    generations.switch_to("new")
    assert generations.choose() == Choice("new", False)
    generations.note_try("new")
    assert generations.choose() == Choice("old", True, given_up="new")
    assert generations.current == "old"


def test_one_that_is_asked_for_again_has_another_try(generations: Generations) -> None:
    generations.note_try("new")
    generations.give_up("new", "too large")
    generations.may_try("new")
    generations.switch_to("new")
    assert generations.failure("new") is None
    assert generations.choose() == Choice("new", False)


def test_a_proven_setting_is_the_one_to_go_back_to_and_what_nobody_needs_is_gone(generations: Generations) -> None:
    generations.switch_to("new")
    generations.note_try("new")
    generations.prove("new")
    assert (generations.last_known_good, generations.current) == ("new", "new")
    assert generations.choose() == Choice("new", True)
    assert not generations.get("old").folder.exists()


def test_a_setting_that_is_written_again_keeps_its_environment(generations: Generations, tmp_path: Path) -> None:
    for name in ("venv", "other"):
        (tmp_path / name).mkdir()
    generations.write("old", dict.fromkeys(FILES, "{}"), tmp_path / "other")
    assert (generations.get("old").folder / "venv").resolve() == tmp_path / "venv"


def test_one_that_was_given_up_is_not_started_again_where_the_disk_takes_no_marks(generations: Generations) -> None:
    generations.switch_to("new")
    assert generations.choose({"new"}) == Choice("old", True, given_up="new")


def test_a_link_to_a_setting_that_is_gone_counts_as_none(generations: Generations) -> None:
    generations.switch_to("never-written")
    assert generations.current is None
    assert generations.choose() == Choice("old", True)
    assert generations.current == "old"


def test_a_setting_that_is_written_again_may_be_in_use_meanwhile(generations: Generations) -> None:
    inode = generations.get("old").folder.stat().st_ino
    generations.write("old", dict.fromkeys(FILES, '{"port": 1}'), Path("venv"))
    assert generations.get("old").folder.stat().st_ino == inode
    assert generations.get("old").port == 1
    assert not list(generations.get("old").folder.glob(".*.new"))


@pytest.mark.parametrize("names", ["a/b", ["a/b", "c/d"]])
def test_the_model_has_the_first_of_its_names(generations: Generations, names: object) -> None:
    import json

    config = json.dumps({"model": "e/f", "served-model-name": names})
    generations.write("old", {"vllm.yaml": config, "setting.json": "{}"}, Path("venv"))
    assert generations.get("old").model == "a/b"


def test_files_that_flags_name_lie_in_the_setting_and_are_named_by_their_place(generations: Generations) -> None:
    files = {
        **dict.fromkeys(FILES, "{}"),
        "vllm.yaml": '{"chat-template": "@generation@/files/chat-template/my template.jinja"}',
        "files/chat-template/my template.jinja": "{{ '@generation@' }}",
    }
    generations.write("third", files, generations.base / "venv")
    third = generations.get("third")
    named = Path(third.config["chat-template"])
    assert named == third.folder / "files/chat-template/my template.jinja"
    assert named.read_text() == "{{ '@generation@' }}"
    assert (named.stat().st_mode & 0o777, named.parent.stat().st_mode & 0o777) == (0o600, 0o700)
