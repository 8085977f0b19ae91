"""Pulumi property values on the wire: protobuf structs outside, plain dictionaries inside.

Assets and archives stay dictionaries with their signature key, as the engine sends them; the signatures are those of
Pulumi's resource protocol (`pulumi.runtime.rpc`, SDK 3.272).
"""

from typing import Any

from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]

Properties = dict[str, Any]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands on the wire for a value that a preview does not know yet."""

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # a signature
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"


def from_wire(struct: struct_pb2.Struct) -> Properties:
    properties: Properties = json_format.MessageToDict(struct)
    return properties


def to_wire(properties: Properties) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())


def comparable(value: Any) -> Any:
    """The value with every asset and archive reduced to its content hash, so that moving a file is no change."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) in (ASSET, ARCHIVE) and value.get("hash"):
            return (value[SIGNATURE], value["hash"])
        return {key: comparable(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return value
