"""Lambda's API document, where it is to be had, and the links that it does not have."""

import json
from pathlib import Path
from typing import Any

import pytest

Document = dict[str, Any]

PATH = Path(__file__).parents[3] / ".." / "shared" / "reference" / "lambda-openapi.json"
"""It has no licence and is no part of the project."""

ROOT = "/api/v1"


def read_document() -> Document:
    """The document; without it the test is skipped."""
    if not PATH.exists():
        pytest.skip("Lambda's API document is not at ../shared/reference/lambda-openapi.json beside the project")
    document: Document = json.loads(PATH.read_bytes())
    return document


def operation(document: Document, method: str, path: str) -> Document:
    """An operation by its method and its path below /api/v1."""
    found: Document = document["paths"][ROOT + path][method]
    return found


def add_links(document: Document) -> None:
    """What may follow on what: the id that a call answers with is what the next ones are about, in any order."""
    made = "$response.body#/data/id"
    _link(document, ("post", "/ssh-keys"), "deleteSSHKey", {"id": made})
    _link(document, ("post", "/filesystems"), "filesystemDelete", {"id": made})
    for follower in ("getFirewallRuleset", "updateFirewallRuleset", "deleteFirewallRuleset"):
        _link(document, ("post", "/firewall-rulesets"), follower, {"id": made})
    for follower in ("updateFabricPartition", "deleteFabricPartition"):
        _link(document, ("post", "/fabric"), follower, {"id": made})
    a_launch = {
        "region_name": "us-east-3",
        "instance_type_name": "gpu_1x_gh200",
        "ssh_key_names": ["$response.body#/data/name"],
    }
    _link(document, ("post", "/ssh-keys"), "launchInstance", body=a_launch)
    launched = "$response.body#/data/instance_ids/0"
    for follower in ("getInstance", "postInstance"):
        _link(document, ("post", "/instance-operations/launch"), follower, {"id": launched})
    for follower in ("restartInstance", "terminateInstance"):
        _link(document, ("post", "/instance-operations/launch"), follower, body={"instance_ids": [launched]})


def keep_linked(document: Document) -> None:
    """Take away what no link leads to or from; only chains of calls are of interest then."""
    ways = [(way, path, on) for path, all_ways in document["paths"].items() for way, on in all_ways.items()]
    links = {on["operationId"]: list(on["responses"]["200"].get("links", {})) for _, _, on in ways}
    followers = {name for names in links.values() for name in names}
    for way, path, on in ways:
        if not links[on["operationId"]] and on["operationId"] not in followers:
            del document["paths"][path][way]


def _link(
    document: Document,
    after: tuple[str, str],
    follower: str,
    parameters: dict[str, str] | None = None,
    body: object = None,
) -> None:
    link: Document = {"operationId": follower}
    if parameters:
        link["parameters"] = parameters
    if body is not None:
        link["requestBody"] = body
    links = operation(document, *after)["responses"]["200"].setdefault("links", {})
    links[follower] = link


def narrow_launches(document: Document, key: Document, instance_types: list[str], image_family: str) -> None:
    """Let a launch ask for what the account has; anything else is what the service refuses."""
    launch = operation(document, "post", "/instance-operations/launch")["requestBody"]["content"]["application/json"]
    family = {"type": "string", "enum": [image_family]}
    launch["schema"]["properties"] |= {
        "instance_type_name": {"type": "string", "enum": instance_types},
        "ssh_key_names": {"type": "array", "items": key, "minItems": 1, "maxItems": 1},
        "image": {"type": "object", "properties": {"family": family}, "required": ["family"]},
    }
    for named in ("file_system_names", "file_system_mounts", "firewall_rulesets"):
        launch["schema"]["properties"][named]["maxItems"] = 0
