"""Five instances in two regions, launched one after the other, and one wait until all of them can be used.

`components` in this folder is a link to the folder of that name two levels up: Pulumi imports the resources from the
folder of the program. In a copy of this example, copy `components` beside it.
"""

import pulumi

from components.lambda_cloud.boot_wait.resource import BootWait
from components.lambda_cloud.firewall.resource import FirewallRuleset
from components.lambda_cloud.instance.resource import Instance
from components.lambda_cloud.ssh_key.resource import SshKey
from components.machine.key_pair.resource import KeyPair

# What can be set, and the defaults, stand in Pulumi.yaml.
config = pulumi.Config()
regions = config.require_object("regions")
ssh_port = config.require_int("sshPort")
name = f"{pulumi.get_project()}-{pulumi.get_stack()}"

# One key logs in to all of them. A key of the account serves every region.
key = KeyPair("key", {"comment": name})
ssh_key = SshKey("ssh-key", {"public_key": key.public_key})

# What may reach the machines: SSH, and nothing else. A ruleset belongs to one region, so there is one for each.
rulesets = {
    region: FirewallRuleset(
        f"firewall-{region}",
        {
            "region": region,
            "rules": [
                {"protocol": "tcp", "port_range": [ssh_port, ssh_port], "source_network": network, "description": "SSH"}
                for network in config.require_object("sshFrom")
            ],
        },
    )
    for region in regions
}

# Dealt out to the regions in turn. Another `count` adds instances, or ends the last ones; the others stay.
instances = []
for number in range(config.require_int("count")):
    region = regions[number % len(regions)]
    instances.append(
        Instance(
            f"worker-{number}",
            {
                "name": f"{name}-{number}",
                "instance_types": config.require_object("instanceTypes"),
                "regions": [region],
                "image_family": config.require("imageFamily"),
                "ssh_key_name": ssh_key.name,
                "firewall_rulesets": {region: rulesets[region].id},
                "max_price_cents_per_hour": round(config.require_float("maxPricePerHour") * 100),
            },
        )
    )

# One wait for all: a wait for each would hold up the launches that are still to come.
boot = BootWait("boot", {"machines": [{"instance_id": one.id} for one in instances], "ssh_port": ssh_port})

pulumi.export("ips", boot.ips)
pulumi.export("instance_ids", [one.id for one in instances])
pulumi.export("instance_types", [one.instance_type for one in instances])
pulumi.export("regions", [one.region for one in instances])
pulumi.export(
    "price_per_hour",
    pulumi.Output.all(*(one.price_cents_per_hour for one in instances)).apply(lambda cents: sum(cents) / 100),
)
pulumi.export("ssh_private_key", key.private_key)
