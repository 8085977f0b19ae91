"""What users read of the settings, written from the settings: the schema in Pulumi.yaml, the table in the README."""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("docs")
