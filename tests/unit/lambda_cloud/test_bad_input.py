"""Every field of every resource with values that cannot work: refused before anything is sent, with what would."""

from typing import Any

import pytest

from components.dynamic.inputs import Properties
from components.dynamic.provider import DynamicProvider
from components.lambda_cloud.boot_wait.provider import BootWaitProvider
from components.lambda_cloud.filesystem.provider import FilesystemProvider
from components.lambda_cloud.firewall.provider import FirewallRulesetProvider
from components.lambda_cloud.global_rules.provider import GlobalFirewallRulesProvider
from components.lambda_cloud.instance.provider import InstanceProvider
from components.lambda_cloud.ssh_key.provider import SshKeyProvider
from components.machine.key_pair.provider import KeyPairProvider, new_pair
from tests.support.emulated import PUBLIC_KEY

SSH: Properties = {"protocol": "tcp", "port_range": [22, 22], "source_network": "0.0.0.0/0"}
GOOD: dict[type[DynamicProvider[Any]], Properties] = {
    InstanceProvider: {
        "instance_types": ["gpu_1x_gh200"],
        "regions": ["us-east-3"],
        "name": "test",
        "ssh_key_name": "key",
        "launch_token": "0" * 32,
        "image_family": "lambda-stack-24-04",
    },
    FirewallRulesetProvider: {"name_prefix": "r", "mark": "0" * 8, "region": "us-east-3", "rules": [SSH]},
    GlobalFirewallRulesProvider: {"mark": "0" * 8, "rules": [SSH]},
    SshKeyProvider: {"name_prefix": "k", "mark": "0" * 8, "public_key": PUBLIC_KEY},
    FilesystemProvider: {"name": "data", "region": "us-east-3", "mark": "0" * 8},
    BootWaitProvider: {"machines": [{"instance_id": "1", "public_host_key": PUBLIC_KEY}], "ssh_port": 22},
    KeyPairProvider: {"comment": "me"},
}

TYPE, REGION = "has to be an instance type such as gpu_1x_gh200", "has to be a region such as us-east-3"
FILESYSTEM = "has to be 1 to 60 letters, digits and dashes, a letter first"
HOSTNAME = "has to be 1 to 63 characters a-z, 0-9 and -, no dash first"
TAG_KEY = "has to be 2 to 55 characters a-z, 0-9, - and :, a letter first"
MOUNT_POINT = "mount_point: has to be /home, /lambda/nfs or /data, or a folder below one of them"
ID = "has to be the id of an object"
PUBLIC_KEY_FILE = "give the one line of a file such as ~/.ssh/id_ed25519.pub"


def _mount(point: str, **more: object) -> list[Properties]:
    return [{"filesystem_id": "f" * 32, "mount_point": point, **more}]


INSTANCE: list[tuple[Properties, str]] = [
    ({"instance_types": []}, "instance_types: needs at least 1"),
    ({"instance_types": "gpu_1x_gh200"}, "instance_types: Input should be a valid list"),
    ({"instance_types": ["GH200"]}, f"instance_types[0]: {TYPE}"),
    ({"instance_types": ["gpu_1x_gh200", ""]}, f"instance_types[1]: {TYPE}"),
    ({"instance_types": ["gpu_1x_gh200"] * 2}, "instance_types: gpu_1x_gh200 is named twice"),
    ({"instance_types": None}, "instance_types: Input should be a valid list"),
    ({"regions": []}, "regions: needs at least 1"),
    ({"regions": ["US East 3"]}, f"regions[0]: {REGION}"),
    ({"regions": ["us-east-3", "us-east-3"]}, "regions: us-east-3 is named twice"),
    ({"name": "x" * 65}, "name: String should have at most 64 characters"),
    ({"name": 7}, "name: Input should be a valid string"),
    ({"hostname": ""}, f"hostname: {HOSTNAME}"),
    ({"hostname": "-gpu"}, f"hostname: {HOSTNAME}"),
    ({"hostname": "GPU"}, f"hostname: {HOSTNAME}"),
    ({"hostname": "gpu.example.com"}, f"hostname: {HOSTNAME}"),
    ({"hostname": "x" * 64}, f"hostname: {HOSTNAME}"),
    ({"hostname": "gpu\n"}, f"hostname: {HOSTNAME}"),
    ({"ssh_key_name": ["one", "two"]}, "ssh_key_name: Lambda takes exactly one SSH key"),
    ({"ssh_key_name": ["one"]}, "ssh_key_name: Lambda takes exactly one SSH key"),
    ({"ssh_key_name": ""}, "ssh_key_name: has to be the name of an SSH key"),
    ({"ssh_key_name": "x" * 65}, "ssh_key_name: String should have at most 64 characters"),
    ({"launch_token": "short"}, "launch_token: String should have at least 16 characters"),
    ({"image_family": "Lambda Stack"}, "image_family: has to be an image family such as lambda-stack-24-04"),
    ({"image_family": None, "image_id": "lambda-stack-24-04"}, "image_id: has to be the id of an image, 32 hex"),
    ({"image_id": "0" * 32}, "give either image_family or image_id"),
    ({"image_family": None}, "give either image_family or image_id"),
    ({"user_data": "x" * 1_000_001}, "user_data: 1000001 bytes of user data are too many: Lambda takes 1000000"),
    ({"user_data": "ü" * 500_001}, "user_data: 1000002 bytes of user data are too many: Lambda takes 1000000"),
    ({"user_data": ["#cloud-config"]}, "user_data: Input should be a valid string"),
    ({"firewall_rulesets": {"us-east-3": ""}}, f"firewall_rulesets.us-east-3: {ID}"),
    ({"firewall_rulesets": {"US": "1"}}, f"firewall_rulesets.US: {REGION}"),
    ({"firewall_rulesets": ["1"]}, "firewall_rulesets: Input should be a valid dictionary"),
    ({"filesystem_names": ["1st"]}, f"filesystem_names[0]: {FILESYSTEM}"),
    ({"filesystem_names": ["data", "data"]}, "filesystem_names: data is named twice"),
    *(
        ({"filesystem_mounts": _mount(point)}, f"filesystem_mounts[0].{MOUNT_POINT}")
        for point in ("/etc", "/", "", "data", "/database")
    ),
    *(
        ({"filesystem_mounts": _mount(point)}, f"filesystem_mounts[0].{MOUNT_POINT}")
        for point in ("/data/../etc", "/data/..", "/home/./a")
    ),
    *(
        ({"filesystem_mounts": _mount(point)}, f"filesystem_mounts[0].{MOUNT_POINT}")
        for point in ("/data/a b", "/data//a", "/data\n")
    ),
    (
        {"filesystem_mounts": _mount("/data/" + "x" * 251)},
        "filesystem_mounts[0].mount_point: String should have at most 256 characters",
    ),
    ({"filesystem_mounts": _mount("/data", filesystem_id="")}, f"filesystem_mounts[0].filesystem_id: {ID}"),
    ({"filesystem_mounts": _mount("/data", read_only=True)}, "filesystem_mounts[0].read_only: there is no such input"),
    ({"filesystem_mounts": [{"mount_point": "/data"}]}, "filesystem_mounts[0].filesystem_id: is missing"),
    ({"filesystem_mounts": [*_mount("/data/a"), *_mount("/data/a/")]}, "/data/a is a mount point twice"),
    ({"tags": {"Team": "x"}}, f"tags.Team: {TAG_KEY}"),
    ({"tags": {"a": "x"}}, f"tags.a: {TAG_KEY}"),
    ({"tags": {"1a": "x"}}, f"tags.1a: {TAG_KEY}"),
    ({"tags": {"a_b": "x"}}, f"tags.a_b: {TAG_KEY}"),
    ({"tags": {"a" * 56: "x"}}, TAG_KEY),
    ({"tags": {"lambda-ai-owner": "x"}}, "tags.lambda-ai-owner: the key lambda-ai-owner is reserved"),
    ({"tags": {"lambda-vllm-launch": "x"}}, "the key lambda-vllm-launch is reserved"),
    ({"tags": {"lambda-vllm-order": "x"}}, "the key lambda-vllm-order is reserved"),
    ({"tags": {"team": "x" * 129}}, "tags.team: String should have at most 128 characters"),
    ({"tags": {"team": 7}}, "tags.team: Input should be a valid string"),
    ({"max_price_cents_per_hour": 0}, "max_price_cents_per_hour: Input should be greater than 0"),
    ({"max_price_cents_per_hour": -229}, "max_price_cents_per_hour: Input should be greater than 0"),
    ({"max_price_cents_per_hour": 2.29}, "max_price_cents_per_hour: Input should be a valid integer"),
    ({"capacity_timeout_seconds": -1}, "capacity_timeout_seconds: Input should be greater than or equal to 0"),
    ({"capacity_timeout_seconds": "soon"}, "capacity_timeout_seconds: Input should be a valid integer"),
    ({"quantity": 2}, "there is no such input"),
]


def _rule(**change: object) -> Properties:
    return {"rules": [{name: value for name, value in {**SSH, **change}.items() if value is not None}]}


NO_PAIRS: list[object] = [[], [22], [1, 2, 3], 22, "22-23", "22", {}]
RULES: list[tuple[Properties, str]] = [
    (_rule(protocol="sctp"), "rules[0].protocol: Input should be 'tcp', 'udp', 'icmp' or 'all'"),
    (_rule(protocol="TCP"), "rules[0].protocol: Input should be 'tcp', 'udp', 'icmp' or 'all'"),
    (_rule(protocol="icmp"), "rules[0]: a rule for icmp takes no port_range: leave it out"),
    *((_rule(protocol=one, port_range=None), f"a rule for {one} needs a port_range") for one in ("tcp", "udp", "all")),
    (_rule(port_range=[23, 22]), "rules[0]: port_range is [first, last], and the first is not above the last"),
    (_rule(port_range=[0, 22]), "rules[0].port_range[0]: Input should be greater than or equal to 1"),
    (_rule(port_range=[22, 65536]), "rules[0].port_range[1]: Input should be less than or equal to 65535"),
    *((_rule(port_range=one), "has to be [first, last], such as") for one in NO_PAIRS),
    (_rule(port_range=["ssh", 22]), "rules[0].port_range[0]: Input should be a valid integer"),
    (_rule(source_network="::/0"), "rules[0].source_network: '::/0' is not an IPv4 network such as 203.0.113.0/24 (La"),
    *(
        (_rule(source_network=one), f"rules[0].source_network: '{one}' is not an IPv4 network such as 203.0.113.0/24")
        for one in ("", "10.0.0/8", "10.0.0.0/33", "10.0.0.256", "everywhere", "10.0.0.0/8 10.1.0.0/16")
    ),
    (
        _rule(source_network="203.0.113.7/24"),
        "rules[0].source_network: '203.0.113.7/24' has two readings: write 203.0.113.7/32 for that address, or 203.0.",
    ),
    (_rule(source_network=None), "rules[0].source_network: is missing"),
    (_rule(description="x" * 129), "rules[0].description: String should have at most 128 characters"),
    (_rule(ports=[22, 22]), "rules[0].ports: there is no such input"),
    ({"rules": SSH}, "rules: Input should be a valid list"),
    ({"rules": [{**SSH, "port_range": [22, 22 + n]} for n in range(21)]}, "rules: 21 rules are too many"),
]
RULESET: list[tuple[Properties, str]] = [
    ({"name_prefix": ""}, "name_prefix: has to be 1 to 55 characters on one line"),
    ({"name_prefix": "x" * 56}, "name_prefix: has to be 1 to 55 characters on one line"),
    ({"name_prefix": "two\nlines"}, "name_prefix: has to be 1 to 55 characters on one line"),
    ({"mark": "mine"}, "mark: has to be a stack's mark"),
    ({"region": "us-south-1"}, "region: us-south-1 ignores firewall rules, so every port there is open to the world"),
    ({"region": "Texas"}, f"region: {REGION}"),
    ({"description": "x"}, "there is no such input"),
]
GLOBAL: list[tuple[Properties, str]] = [
    (_rule(description="x" * 112), "rules: descriptions have up to 111 characters here"),
    ({"mark": "0" * 9}, "mark: has to be a stack's mark"),
]
PRIVATE_KEY = new_pair("me")[0]
KEY_BYTES = PUBLIC_KEY.split()[1]
KEYS: list[tuple[Properties, str]] = [
    ({"public_key": PRIVATE_KEY}, "public_key: this is a private key, which never has to leave your computer"),
    ({"public_key": f"{PUBLIC_KEY}\n{PUBLIC_KEY}"}, "public_key: has more than one line"),
    ({"public_key": f"ssh-ed25519 {'A' * 5000}"}, "public_key: has 5012 characters, and Lambda takes 4096"),
    *(
        ({"public_key": one}, f"public_key: is no public key in OpenSSH's form: {PUBLIC_KEY_FILE}")
        for one in ("", "nonsense", "ssh-ed25519", "ssh-ed25519 AAAA", f"ssh-rsa {KEY_BYTES}", KEY_BYTES, "ssh-rsa ü")
    ),
    ({"public_key": None}, "public_key: Input should be a valid string"),
    ({"name_prefix": "x" * 49}, "name_prefix: has to be 1 to 48 characters on one line"),
    ({"name_prefix": ""}, "name_prefix: has to be 1 to 48 characters on one line"),
    ({"mark": ""}, "mark: has to be a stack's mark"),
]
FILESYSTEMS: list[tuple[Properties, str]] = [
    *(({"name": one}, f"name: {FILESYSTEM}") for one in ("", "1st", "-a", "a_b", "a b", "x" * 61, "daten\n", "dätä")),
    ({"region": ""}, f"region: {REGION}"),
    ({"retain": "perhaps"}, "retain: Input should be a valid boolean"),
    ({"size": 100}, "there is no such input"),
]
BOOTS: list[tuple[Properties, str]] = [
    ({"machines": []}, "machines: needs at least 1"),
    ({"machines": [{}]}, "machines[0].instance_id: is missing"),
    ({"machines": [{"instance_id": ""}]}, "machines[0].instance_id: String should have at least 1 character"),
    (
        {"machines": [{"instance_id": "1", "public_host_key": "ssh-rsa AAAA"}]},
        "machines[0].public_host_key: is no public key in OpenSSH's form",
    ),
    (
        {"machines": [{"instance_id": "1", "public_host_key": PRIVATE_KEY}]},
        "machines[0].public_host_key: this is a private key",
    ),
    *(({"ssh_port": one}, "ssh_port: Input should be greater than or equal to 1") for one in (0, -22)),
    ({"ssh_port": 65536}, "ssh_port: Input should be less than or equal to 65535"),
    ({"ssh_port": 22.5}, "ssh_port: Input should be a valid integer"),
    *(({"timeout_seconds": one}, "timeout_seconds: Input should be greater than 0") for one in (0, -1)),
]
COMMENTS: list[tuple[Properties, str]] = [
    ({"comment": 7}, "comment: Input should be a valid string"),
    ({"comment": None}, "comment: Input should be a valid string"),
    ({"passphrase": "x"}, "there is no such input"),
]

TABLE = [
    (provider, given, reason)
    for provider, rows in (
        (InstanceProvider, INSTANCE),
        (FirewallRulesetProvider, RULES + RULESET),
        (GlobalFirewallRulesProvider, RULES + GLOBAL),
        (SshKeyProvider, KEYS),
        (FilesystemProvider, FILESYSTEMS),
        (BootWaitProvider, BOOTS),
        (KeyPairProvider, COMMENTS),
    )
    for given, reason in rows
]


@pytest.mark.parametrize("provider", GOOD)
def test_what_is_right_passes(provider: type[DynamicProvider[Any]]) -> None:
    assert provider().check({}, GOOD[provider]).failures == []


@pytest.mark.parametrize(("provider", "given", "reason"), TABLE)
def test_a_value_that_cannot_work_is_refused_in_one_line_with_its_name_and_what_is_allowed(
    provider: type[DynamicProvider[Any]], given: Properties, reason: str
) -> None:
    failures = provider().check({}, {**GOOD[provider], **given}).failures
    assert len(failures) == 1, [one.reason for one in failures]
    said = failures[0].reason
    assert reason in said
    assert "\n" not in said
    assert len(said) < 300
    assert "pattern" not in said
    named = failures[0].property or said
    assert any(name in named for name in given)


@pytest.mark.parametrize(("provider", "name"), [(provider, name) for provider, given in GOOD.items() for name in given])
def test_what_is_left_out_is_missing_unless_there_is_a_default(provider: type[DynamicProvider[Any]], name: str) -> None:
    given = {key: value for key, value in GOOD[provider].items() if key != name}
    failures = provider().check({}, given).failures
    if provider.inputs.model_fields[name].is_required():
        assert [(one.property or name, one.reason) for one in failures] == [(name, "is missing")]
    elif name == "image_family":
        assert [one.reason for one in failures] == ["give either image_family or image_id"]
    else:
        assert failures == []


@pytest.mark.parametrize(
    "given", [PRIVATE_KEY, PRIVATE_KEY.replace("PRIVATE", "SECRET"), "".join(PRIVATE_KEY.split("\n"))]
)
def test_a_private_key_in_the_place_of_a_public_one_is_not_shown(given: str) -> None:
    material = PRIVATE_KEY.split("\n")[2]
    as_key = SshKeyProvider().check({}, {**GOOD[SshKeyProvider], "public_key": given}).failures
    as_host_key = BootWaitProvider().check({}, {"machines": [{"instance_id": "1", "public_host_key": given}]}).failures
    for failure in (*as_key, *as_host_key):
        assert material not in failure.reason
    # With a property the engine prints its value.
    assert [one.property for one in as_key] == [""]
