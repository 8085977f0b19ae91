"""Makes anew what depends on a release of vLLM: `python -m scripts.vllm_release VERSION [--targets cuda13] [--pin]`

The lists of the version go to components/vllm/release/lists/VERSION, and what is other in it than in the version that
the targets have is printed. With --pin the targets get the version, and their locks are made: gigabytes are loaded.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from components.text.counted import counted
from components.vllm.release import lists
from components.vllm.release.install.versions import FOLDER, GPU_TARGET, TARGETS, Versions
from scripts.locks.resolve import LockError
from scripts.locks.targets import ARCHITECTURES
from scripts.release_source import ReleaseSource
from scripts.vllm_release import fetch
from scripts.vllm_release.compare import Lists, report
from scripts.vllm_release.generate import NAMES, generate, ours


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.vllm_release", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--targets", nargs="+", choices=sorted(TARGETS), default=[GPU_TARGET])
    parser.add_argument("--python", type=Path, help="has the packages of some vLLM; else one is made by the CPU's lock")
    parser.add_argument("--wheels", type=Path, help="a folder to download wheels to; else they are thrown away")
    parser.add_argument("--pin", action="store_true", help="let the targets have it, and make their locks")
    words = parser.parse_args()
    before = {TARGETS[target].vllm: _lists(TARGETS[target].vllm) for target in words.targets}
    with tempfile.TemporaryDirectory() as folder:
        try:
            versions = _generate(words, Path(folder))
        except (LockError, fetch.FetchError) as error:
            sys.exit(str(error))
    for version, old in before.items():
        print(f"vLLM {words.version} beside {version}, for {', '.join(words.targets)}:")
        print("\n".join(report(old, _lists(words.version), ours())) or "  nothing is other")
    if words.pin:
        _pin(words.targets, versions)


def _lists(version: str) -> Lists:
    """As they are now."""
    lists.of_version.cache_clear()
    return {name: lists.of_version(name, version) for name in NAMES}


def _generate(words: argparse.Namespace, folder: Path) -> Versions:
    """Write the lists; the versions that belong together. Fails where the packages do not go together."""
    wheels = words.wheels or folder
    vllm = fetch.wheel("vllm", words.version, wheels)
    versions = Versions(words.version, fetch.torch_of(vllm))
    transformers = ""
    for name in words.targets:
        for target in fetch.targets_at(name, versions):
            pins = fetch.resolved(target, folder)
            transformers = pins["transformers"].version
            packages = counted(len(pins), "package")
            print(f"{target.name}: {packages}, torch {versions.torch}, transformers {transformers}", flush=True)
    asked = fetch.asked(vllm, words.python, folder)
    source = ReleaseSource(vllm)
    library = ReleaseSource(fetch.wheel("transformers", transformers, wheels))
    place = lists.FOLDER / words.version
    place.mkdir(exist_ok=True)
    for name, document in generate(source, library, asked).items():
        of = {"vllm": words.version, "transformers": transformers}
        (place / f"{name}.json").write_text(json.dumps({**of, **document}, indent=1) + "\n")
    return versions


def _pin(targets: list[str], versions: Versions) -> None:
    """Let the targets have it, make their locks, and forget the lists of releases that no target has any more."""
    file = FOLDER / "versions.json"
    document = json.loads(file.read_text())
    document["targets"] |= {target: vars(versions) for target in targets}
    file.write_text(json.dumps(document, indent=2) + "\n")
    kept = {target["vllm"] for target in document["targets"].values()}
    for folder in lists.FOLDER.iterdir():
        if (folder / "serve.json").is_file() and folder.name not in kept:
            shutil.rmtree(folder)
    names = [f"{target}-{architecture}" for target in targets for architecture in ARCHITECTURES]
    sys.exit(subprocess.run([sys.executable, "-m", "scripts.locks", *names], check=False).returncode)


if __name__ == "__main__":
    main()
