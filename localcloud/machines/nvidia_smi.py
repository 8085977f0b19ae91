"""`nvidia-smi` of a machine: what NVIDIA's own prints for the GPUs of the machine's profile, all of them idle.

Run by path with a bare interpreter: `python -I -S nvidia_smi.py PROFILE [nvidia-smi arguments]`; PROFILE is a JSON file
with the fields of `Accelerator` and the GPUs' UUIDs. Formats and exit statuses: the manual of nvidia-smi and its output
with drivers 550 to 580.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_USED_MIB = 1
_HELP = "Please run 'nvidia-smi -h' for help."
_USAGE = """NVIDIA-SMI as this machine has it:
    nvidia-smi [-i INDEX]
    nvidia-smi -L
    nvidia-smi --query-gpu=FIELD,... --format=csv[,noheader][,nounits] [-i INDEX]
    nvidia-smi --query-compute-apps=FIELD,... --format=csv[,noheader][,nounits]
"""

Profile = dict[str, Any]

_FIELDS: dict[str, tuple[str | None, Callable[[Profile, int], object]]] = {
    "index": (None, lambda _, index: index),
    "count": (None, lambda profile, _: len(profile["uuids"])),
    "name": (None, lambda profile, _: profile["name"]),
    "uuid": (None, lambda profile, index: profile["uuids"][index]),
    "pci.bus_id": (None, lambda _, index: _bus_id(index)),
    "driver_version": (None, lambda profile, _: profile["driver_version"]),
    "compute_cap": (None, lambda profile, _: profile["compute_capability"]),
    "memory.total": ("MiB", lambda profile, _: profile["memory_mib"]),
    "memory.used": ("MiB", lambda *_: _USED_MIB),
    "memory.free": ("MiB", lambda profile, _: profile["memory_mib"] - _USED_MIB),
    "utilization.gpu": ("%", lambda *_: 0),
    "utilization.memory": ("%", lambda *_: 0),
    "temperature.gpu": (None, lambda *_: 30),
    "power.draw": ("W", lambda *_: "80.00"),
    "power.limit": ("W", lambda *_: "700.00"),
    "pstate": (None, lambda *_: "P0"),
    "persistence_mode": (None, lambda *_: "Enabled"),
    "compute_mode": (None, lambda *_: "Default"),
    "mig.mode.current": (None, lambda *_: "Disabled"),
}
"""A field's unit and value."""
_ALIASES = {"gpu_name": "name", "gpu_uuid": "uuid", "gpu_bus_id": "pci.bus_id"}


class _RefusedError(Exception):
    """Something nvidia-smi cannot do; the text is what it says."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def main() -> int:
    """Answer one call; the exit status is nvidia-smi's."""
    profile: Profile = json.loads(Path(sys.argv[1]).read_text())
    arguments = list(_separate(sys.argv[2:]))
    if "-h" in arguments or "--help" in arguments:
        print(_USAGE, end="")
        return 0
    if profile["failure"] is not None:
        print(profile["failure"].strip())
        return int(profile["exit_status"])
    try:
        for line in _answer(profile, arguments):
            print(line)
    except _RefusedError as refused:
        print(refused)
        return refused.status
    return 0


def _separate(arguments: list[str]) -> Iterator[str]:
    """`--name=value` in two words."""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        yield name
        if equals:
            yield value


def _answer(profile: Profile, arguments: list[str]) -> Iterator[str]:
    options: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        if word in {"-L", "--list-gpus"}:
            options["list"] = ""
        elif word in {"-i", "--id", "--query-gpu", "--query-compute-apps", "--format"}:
            options[word.lstrip("-").replace("id", "i")] = next(words, "")
        else:
            raise _RefusedError(f"Invalid combination of input arguments. {_HELP}", 1)
    gpus = _chosen(profile, options.pop("i", None))
    if options.keys() == {"list"}:
        return (f"GPU {gpu}: {profile['name']} (UUID: {profile['uuids'][gpu]})" for gpu in gpus)
    if not options:
        return _table(profile, gpus)
    return _query(profile, options, gpus)


def _chosen(profile: Profile, wanted: str | None) -> list[int]:
    everything = list(range(len(profile["uuids"])))
    if wanted is None:
        return everything
    names = [{str(gpu), profile["uuids"][gpu], _bus_id(gpu)} for gpu in everything]
    if chosen := [gpu for gpu in everything for name in wanted.split(",") if name in names[gpu]]:
        return chosen
    raise _RefusedError("No devices were found", 6)


def _query(profile: Profile, options: dict[str, str], gpus: list[int]) -> Iterator[str]:
    if "format" not in options:
        raise _RefusedError(f'"--format=" switch is missing. {_HELP}', 1)
    form = options["format"].split(",")
    if "csv" not in form or not set(form) <= {"csv", "noheader", "nounits"}:
        raise _RefusedError(f'Invalid format "{options["format"]}". {_HELP}', 1)
    if "query-compute-apps" in options:
        return iter([] if "noheader" in form else [options["query-compute-apps"].replace(",", ", ")])
    return _csv(profile, [field.strip() for field in options.get("query-gpu", "").split(",")], form, gpus)


def _csv(profile: Profile, fields: list[str], form: list[str], gpus: list[int]) -> Iterator[str]:
    names = [_ALIASES.get(field, field) for field in fields]
    for field, name in zip(fields, names, strict=True):
        if name not in _FIELDS:
            raise _RefusedError(f'Field "{field}" is not a valid field to query.\n', 2)
    columns = [(name, *_FIELDS[name]) for name in names]
    lines = [] if "noheader" in form else [[f"{name} [{unit}]" if unit else name for name, unit, _ in columns]]
    shown = {} if "nounits" in form else {unit: f" {unit}" for _, unit, _ in columns if unit}
    lines += [[f"{value(profile, gpu)}{shown.get(unit or '', '')}" for _, unit, value in columns] for gpu in gpus]
    return (", ".join(line) for line in lines)


def _bus_id(gpu: int) -> str:
    return f"{gpu + 9:08X}:01:00.0"


def _table(profile: Profile, gpus: list[int]) -> Iterator[str]:
    driver, cuda = profile["driver_version"], profile["cuda_version"]
    yield time.strftime("%a %b %e %H:%M:%S %Y").ljust(31)
    yield "+" + "-" * 89 + "+"
    yield f"| NVIDIA-SMI {driver:<22} Driver Version: {driver:<14} CUDA Version: {cuda:<8} |"
    yield "|" + "+".join("-" * width for width in (41, 24, 22)) + "+"
    yield "| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |"
    yield "| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |"
    yield "|                                         |                        |               MIG M. |"
    yield "|" + "+".join("=" * width for width in (41, 24, 22)) + "|"
    for gpu in gpus:
        yield f"| {gpu:3d}  {profile['name'][:28]:<28}   On  |   {_bus_id(gpu)} Off |                    0 |"
        memory = f"{_USED_MIB}MiB / {profile['memory_mib']:>6}MiB"
        yield f"| N/A   30C    P0             80W /  700W | {memory:>22} |      0%      Default |"
        yield "|                                         |                        |             Disabled |"
        yield "+" + "+".join("-" * width for width in (41, 24, 22)) + "+"
    yield " " * 91
    yield "+" + "-" * 89 + "+"
    yield f"| {'Processes:':<87} |"
    yield f"| {' GPU   GI   CI              PID   Type   Process name                        GPU Memory':<87} |"
    yield f"| {'       ID   ID                                                               Usage':<87} |"
    yield "|" + "=" * 89 + "|"
    yield f"| {' No running processes found':<87} |"
    yield "+" + "-" * 89 + "+"


if __name__ == "__main__":
    sys.exit(main())
