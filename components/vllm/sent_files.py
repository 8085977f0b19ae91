"""The files of this computer that the settings' flags name."""

from pathlib import Path

from components.settings import Settings
from components.vllm.flags.files import SentFiles, read_files


def sent_files(settings: Settings) -> SentFiles:
    """Read them. Pulumi runs the program in the project's folder."""
    try:
        home = Path.home()
    except RuntimeError:
        # A computer that does not say: then `~` is nowhere.
        home = Path("/nowhere")
    return read_files(settings.vllm_args, Path.cwd(), home, settings.vllm_version)
