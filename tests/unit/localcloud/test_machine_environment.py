"""What a process on a machine starts with, as far as it depends on the computer below."""

from pathlib import Path

from localcloud.machines.environment import machine_environment


def environment(machines: Path, host: dict[str, str]) -> dict[str, str]:
    return machine_environment("0" * 32, "127.77.0.1", machines / ("0" * 32), Path("/tmp/t"), "boot", host)


def test_uvs_cache_is_the_users_where_files_can_be_linked(tmp_path: Path) -> None:
    cache = tmp_path / "not-made-yet"
    assert environment(tmp_path, {"XDG_CACHE_HOME": str(cache)})["UV_CACHE_DIR"] == str(cache / "uv")


def test_uvs_cache_is_beside_the_machines_where_files_cannot_be_linked(tmp_path: Path) -> None:
    assert environment(tmp_path, {"XDG_CACHE_HOME": "/proc"})["UV_CACHE_DIR"] == str(tmp_path / "uv-cache")


def test_a_cache_that_the_user_has_chosen_is_kept(tmp_path: Path) -> None:
    host = {"XDG_CACHE_HOME": str(tmp_path), "UV_CACHE_DIR": "/proc/cache"}
    assert environment(tmp_path, host)["UV_CACHE_DIR"] == "/proc/cache"
