"""Where the real service differs from its document, or says more than the document can: the one list of it.

The check of conformity reads the document with every `amend` done to it, and so checks what is known of the service.
`may_refuse` are operations whose document lets through what the service refuses for reasons that no schema can say: 400
is then an answer to a request that is well-formed. All else is as in the document.
"""

from collections.abc import Callable
from dataclasses import dataclass

from localcloud.account.catalogue import REGIONS
from tests.support.cloud_api.document import ROOT, Document, operation

ID = {"type": "string", "pattern": "^[0-9a-f]{32}$"}


@dataclass(frozen=True)
class Deviation:
    """What the service does, who says so, and how the document is amended to say it too."""

    what: str
    source: str
    amend: Callable[[Document], None] = lambda _document: None
    may_refuse: tuple[str, ...] = ()


def _drop(part: str) -> Callable[[Document], None]:
    def amend(document: Document) -> None:
        document["paths"] = {path: ways for path, ways in document["paths"].items() if not path.startswith(ROOT + part)}

    return amend


def _ids_are_uuids(document: Document) -> None:
    for ways in document["paths"].values():
        for way in ways.values():
            for parameter in way.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"] = ID
    for name in ("restart", "terminate"):
        _body(document, "post", f"/instance-operations/{name}")["instance_ids"]["items"] = ID
    schemas = document["components"]["schemas"]
    schemas["RequestedFilesystemMountEntry"]["properties"]["file_system_id"] = ID
    _body(document, "post", "/instance-operations/launch")["firewall_rulesets"]["items"]["properties"] = {"id": ID}


def _regions_are_checked(document: Document) -> None:
    region = {"type": "string", "enum": list(REGIONS)}
    _body(document, "post", "/filesystems")["region"] = region
    _body(document, "post", "/fabric")["region"] = region
    _body(document, "post", "/firewall-rulesets")["region"] = region
    _body(document, "post", "/instance-operations/launch")["region_name"] = region


def _one_ssh_key(document: Document) -> None:
    _body(document, "post", "/instance-operations/launch")["ssh_key_names"] |= {"minItems": 1, "maxItems": 1}


def _ports_by_protocol(document: Document) -> None:
    rule = document["components"]["schemas"].pop("FirewallRule")
    without_ports = {name: value for name, value in rule["properties"].items() if name != "port_range"}
    icmp = without_ports | {"protocol": {"type": "string", "enum": ["icmp"]}, "port_range": False}
    other = rule["properties"] | {"protocol": {"type": "string", "enum": ["tcp", "udp", "all"]}}
    required = rule["required"]
    document["components"]["schemas"]["FirewallRule"] = {
        "anyOf": [
            {"type": "object", "properties": icmp, "required": required},
            {"type": "object", "properties": other, "required": [*required, "port_range"]},
        ]
    }


def _tags_can_be_changed(document: Document) -> None:
    tag = {"$ref": "#/components/schemas/RequestedTagEntry"}
    _body(document, "post", "/instances/{id}")["tags"] = {"type": "array", "items": tag}


def _key_in_use(document: Document) -> None:
    code = {"type": "string", "const": "ssh-keys/key-in-use"}
    in_use = {"type": "object", "properties": {"code": code, "message": {"type": "string"}}}
    answer = operation(document, "delete", "/ssh-keys/{id}")["responses"]["400"]["content"]["application/json"]
    errors = answer["schema"]["properties"]
    errors["error"] = {"anyOf": [errors["error"], in_use]}


def _both_spellings(document: Document) -> None:
    read = operation(document, "get", "/file-systems") | {"operationId": "listFilesystemsOtherSpelling"}
    document["paths"][f"{ROOT}/filesystems"]["get"] = read


def _more_fields(document: Document) -> None:
    schemas = document["components"]["schemas"]
    schemas["InstanceType"]["properties"]["architecture"] = {"type": "string", "enum": ["x86_64", "arm64"]}
    schemas["InstanceType"]["required"].append("architecture")
    image = {name: {"type": "string"} for name in ("id", "family")}
    schemas["Instance"]["properties"]["image"] = {"type": "object", "properties": image, "required": list(image)}
    schemas["Instance"]["properties"]["is_reserved"] = {"type": "boolean"}


def _body(document: Document, method: str, path: str) -> Document:
    """The fields of a request."""
    body = operation(document, method, path)["requestBody"]["content"]["application/json"]["schema"]
    fields: Document = body["properties"]
    return fields


DEVIATIONS = (
    Deviation(
        "support tickets are not played; every call is 501, which the document does not know",
        "a beta that Lambda enables on request, says the document; our choice",
        _drop("/tickets"),
    ),
    Deviation(
        "a malformed id is 400 global/invalid-parameters, in a path and in a body",
        "seen live; the document has ids as any string",
        _ids_are_uuids,
    ),
    Deviation(
        "an unknown region is 400 global/invalid-parameters",
        "the text that clients match on; the document has regions as any string",
        _regions_are_checked,
    ),
    Deviation(
        "a launch has exactly one SSH key",
        "the document's text, which its schema does not repeat",
        _one_ssh_key,
    ),
    Deviation(
        "firewall rules have ports, the smaller one first, unless they are for icmp",
        "the document's text, which its schema does not repeat; the order is our reading",
        _ports_by_protocol,
        may_refuse=(
            "firewallRulesSet",
            "createFirewallRuleset",
            "updateFirewallRuleset",
            "updateGlobalFirewallRuleset",
        ),
    ),
    Deviation(
        "tags of an instance can be replaced, and those of Lambda's own, `lambda-ai-`, cannot be set",
        "two clients, after documents of September and October 2026",
        _tags_can_be_changed,
        may_refuse=("postInstance",),
    ),
    Deviation(
        "an SSH key that an instance holds cannot be deleted: 400",
        "seen live; the code is that of documents up to 1.5, and 1.10 has none",
        _key_in_use,
        may_refuse=("deleteSSHKey",),
    ),
    Deviation(
        "GET /filesystems is answered like GET /file-systems",
        "one client, after the document of September 2026",
        _both_spellings,
    ),
    Deviation(
        "instance types have `architecture`, instances `image` and `is_reserved`",
        "live answers of 2026; the document's own examples have the last one",
        _more_fields,
    ),
    Deviation(
        "names of SSH keys are unique and the key must be one",
        "two clients that match on the text; Lambda's documentation for the formats and for the most there may be",
        may_refuse=("addSSHKey",),
    ),
    Deviation(
        "names of filesystems are unique and there may be 24",
        "global/duplicate and global/quota-exceeded of the document, which are its own; no schema can say when",
        may_refuse=("createFilesystem",),
    ),
    Deviation(
        "a launch is refused when what it names is not there or cannot be had, or its user data is too long",
        "the document's error codes and texts; that a missing thing is 400 and not 404 is our choice, it has both",
        may_refuse=("launchInstance",),
    ),
    Deviation(
        "a page token is one that an answer has given",
        "the document's text, which its schema cannot say",
        may_refuse=("getAuditEvents",),
    ),
)


def amend(document: Document) -> Document:
    """The document as the service has it."""
    for deviation in DEVIATIONS:
        deviation.amend(document)
    return document


def operations_that_may_refuse() -> list[str]:
    """Ids of operations that may answer 400 to what the document lets through."""
    return sorted({name for deviation in DEVIATIONS for name in deviation.may_refuse})
