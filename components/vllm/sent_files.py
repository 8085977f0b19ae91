"""The files of this computer that the settings name, by flags or by variables."""

from dataclasses import replace
from pathlib import Path

from components.settings import Settings
from components.vllm.release.flags.files import SentFiles, read_files, variables_elsewhere


def sent_files(settings: Settings) -> SentFiles:
    """Read them. Pulumi runs the program in the project's folder."""
    try:
        home = Path.home()
    except RuntimeError:
        # A computer that does not say: then `~` is nowhere.
        home = Path("/nowhere")
    sent = read_files(settings.vllm_args, Path.cwd(), home, settings.vllm_version)
    return replace(sent, problems=(*sent.problems, *variables_elsewhere(settings.vllm_env, Path.cwd(), home)))
