"""The words that users write: read once, checked all at once. Nothing here knows Pulumi."""

from components.settings.read import SettingsError, parse_flag, read_settings
from components.settings.settings import KEYS, Settings

__all__ = ["KEYS", "Settings", "SettingsError", "parse_flag", "read_settings"]
