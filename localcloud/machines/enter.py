"""Start a program on a machine: marked as the machine's, and with its filesystems where they have to appear.

Run by path, with a bare interpreter: `python -I -S enter.py MARK EMPTY_FOLDER [FOLDER=MOUNT_POINT ...] -- PROGRAM ...`.
It becomes the program. Exit status 255 when it cannot, as ssh has it.

The mark is a limit on real-time processor time that nobody can reach (RLIMIT_RTTIME of setrlimit(2), in microseconds).
Unlike a variable or a session it stays with a process and all that it starts through fork, exec, setsid and an emptied
environment; only root could lift it.

Mount points need a mount namespace: as root, or in a user namespace where the kernel lets everybody have one. There `/`
is a new, read-only folder that shows all of the old one, and the mount points beside it.
"""

import ctypes
import errno
import os
import resource
import sys
from collections.abc import Sequence

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 1, 2, 4, 32
_MS_BIND, _MS_REC, _MS_UNBINDABLE, _MS_PRIVATE = 0x1000, 0x4000, 0x20000, 0x40000
_MNT_DETACH = 2


def main() -> None:
    """Mark, mount, become the program."""
    options, program = _split(sys.argv[1:])
    mark, new_root, mounts = int(options[0]), options[1], [option.rsplit("=", 1) for option in options[2:]]
    try:
        resource.setrlimit(resource.RLIMIT_RTTIME, (mark, mark))
        if mounts:
            _mount_all(new_root, [(folder, point) for folder, point in mounts])
        os.execvp(program[0], program)  # noqa: S606 - that is what it is for
    except (OSError, ValueError) as error:
        print(f"cannot start {program[0]} on this machine: {error}", file=sys.stderr)
        sys.exit(255)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    end = arguments.index("--")
    return arguments[:end], arguments[end + 1 :]


def _mount_all(new_root: str, mounts: list[tuple[str, str]]) -> None:
    """See every folder at its mount point, in this process and all that it starts."""
    working_directory = os.getcwd()  # noqa: PTH109 - pathlib would cost every login some milliseconds
    _unshare()
    # Nothing of what follows is to be seen by the rest of the computer.
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", new_root, "tmpfs", _MS_NOSUID | _MS_NODEV)
    # The new root lies within what it shows.
    _mount(None, new_root, None, _MS_UNBINDABLE)
    _mirror("/", new_root, [point.strip("/").split("/") for _, point in mounts])
    for folder, point in sorted(mounts, key=lambda mount: len(mount[1])):
        os.makedirs(new_root + point, exist_ok=True)  # noqa: PTH103
        _mount(folder, new_root + point, None, _MS_BIND)
    _mount(None, new_root, None, _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    os.chdir(new_root)
    # Both at one place: the old root lies over the new one and is taken off again (pivot_root(2), "." and ".").
    _call("pivot_root", b".", b".")
    _call("umount2", b".", _MNT_DETACH)
    os.chdir(working_directory)


def _unshare() -> None:
    """Have a mount namespace of our own, with a user namespace around it when we are not root."""
    try:
        _call("unshare", _CLONE_NEWNS)
    except PermissionError:
        user, group = os.getuid(), os.getgid()
        _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNS)
        # Everybody stays who they are. A group can be kept only by those who give up setgroups (user_namespaces(7)).
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")


def _mirror(source: str, target: str, points: Sequence[list[str]]) -> None:
    """Show all of `source` in `target` but what lies at the points, with real folders on the way to them."""
    heads = {point[0] for point in points}
    for entry in os.scandir(source) if os.path.isdir(source) else ():  # noqa: PTH112
        if entry.name not in heads:
            _show(entry, os.path.join(target, entry.name))  # noqa: PTH118
    for head in heads:
        place = os.path.join(target, head)  # noqa: PTH118
        os.mkdir(place)  # noqa: PTH102
        if [head] not in points:
            _mirror(os.path.join(source, head), place, [point[1:] for point in points if point[0] == head])  # noqa: PTH118


def _show(entry: "os.DirEntry[str]", place: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), place)  # noqa: PTH115, PTH211
        return
    if entry.is_dir():
        os.mkdir(place)  # noqa: PTH102
    else:
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
    try:
        _mount(entry.path, place, None, _MS_BIND | _MS_REC)
    except OSError as error:
        # Gone meanwhile, or of a kind that cannot be shown twice: an empty place then.
        if error.errno not in (errno.ENOENT, errno.EINVAL, errno.EACCES):
            raise


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    data = b"mode=755" if kind == "tmpfs" else None
    _call("mount", source and os.fsencode(source), os.fsencode(target), kind and os.fsencode(kind), flags, data)


def _call(function: str, *arguments: object) -> None:
    if getattr(_LIBC, function)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)


if __name__ == "__main__":
    main()
