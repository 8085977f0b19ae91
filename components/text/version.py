"""The version of this program. It stands here alone: docs/upgrades.md says how it is raised."""

VERSION = "0.1.0"
