"""Any number of machines without commands on them: the program of the tests of faults, kills and numbers."""

import pulumi

from components.lambda_cloud.boot_wait.resource import BootWait
from components.lambda_cloud.firewall.resource import FirewallRuleset
from components.lambda_cloud.instance.resource import Instance, InstanceArgs
from components.lambda_cloud.ssh_key.resource import SshKey
from components.machine.key_pair.resource import KeyPair

config = pulumi.Config()
count = config.get_int("count") if config.get("count") else 1
regions = config.get_object("regions") or ["us-east-3"]
key = SshKey("key", {"public_key": KeyPair("pair", {"comment": "fleet"}).public_key})
rulesets = {
    region: FirewallRuleset(
        f"firewall-{region}",
        {
            "region": region,
            "rules": [
                {"protocol": "tcp", "port_range": [22, 22], "source_network": cidr, "description": "SSH"}
                for cidr in config.get_object("cidrs") or ["0.0.0.0/0"]
            ],
        },
    )
    for region in regions
}
launch: InstanceArgs = {
    "instance_types": config.get_object("instanceTypes") or ["gpu_1x_gh200"],
    "regions": regions,
    "name": config.get("name") or "fleet",
    "ssh_key_name": key.name,
    "image_family": config.get("imageFamily") or "lambda-stack-24-04",
    "firewall_rulesets": {region: ruleset.id for region, ruleset in rulesets.items()},
    "capacity_timeout_seconds": config.get_int("capacityTimeoutSeconds") or 0,
}
if max_price := config.get_int("maxPriceCents"):
    launch["max_price_cents_per_hour"] = max_price
machines = [Instance(f"machine-{number}", launch) for number in range(count or 0)]
if machines and config.get_bool("wait") is not False:
    boot = BootWait(
        "boot",
        {
            "machines": [{"instance_id": machine.id} for machine in machines],
            "timeout_seconds": config.get_int("bootTimeoutSeconds") or 60,
        },
    )
    pulumi.export("ips", boot.ips)
pulumi.export("ids", [machine.id for machine in machines])
