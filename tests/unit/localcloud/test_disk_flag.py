"""`--disk-gib` at the command line."""

from pathlib import Path

import pytest

from localcloud import server
from localcloud.cli import main
from localcloud.machines import disk_image


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The size of the disks of every server that would have been started."""
    sizes: list[int | None] = []

    async def serve(settings: server.Settings) -> None:
        sizes.append(settings.disk_bytes)

    monkeypatch.setattr(server, "serve", serve)
    return sizes


def test_a_size_is_taken_where_disks_can_have_one(
    tmp_path: Path, served: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_image, "why_not", lambda: None)
    assert main(["serve", f"--state={tmp_path}", "--disk-gib=0.5"]) == 0
    assert main(["serve", f"--state={tmp_path}"]) == 0
    assert served == [2**29, None]


@pytest.mark.parametrize(
    ("machines", "reason", "said"),
    [
        ("none", None, "--disk-gib is for --machines process"),
        ("process", "needs root, and to be allowed to mount", "--disk-gib needs root, and to be allowed to mount"),
    ],
)
def test_where_they_cannot_it_is_refused_in_one_line_before_anything_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    machines: str,
    reason: str | None,
    said: str,
) -> None:
    monkeypatch.setattr(disk_image, "why_not", lambda: reason)
    state = tmp_path / "state"
    for command in ("serve", "up"):
        assert main([command, f"--state={state}", f"--machines={machines}", "--disk-gib=1"]) == 1
        assert capsys.readouterr().err == f"localcloud: {said}\n"
    assert not state.exists()


@pytest.mark.parametrize("word", ["0", "-1", "big", "nan", "inf", "0.001"])
def test_what_is_no_size_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", f"--state={tmp_path}", f"--disk-gib={word}"])
    assert ended.value.code == 2
    assert f"{word!r} is not the size of a disk" in capsys.readouterr().err
