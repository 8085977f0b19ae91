"""One instance at Lambda: a key, a firewall, a launch, and a wait until SSH answers.

`components` in this folder is a link to the folder of that name two levels up: Pulumi imports the resources from the
folder of the program. In a copy of this example, copy `components` beside it.
"""

import pulumi

from components.lambda_cloud.boot_wait.resource import BootWait
from components.lambda_cloud.firewall.resource import FirewallRuleset
from components.lambda_cloud.instance.resource import Instance
from components.lambda_cloud.ssh_key.resource import SshKey
from components.machine.gpu_machine import ssh_command, user_data
from components.machine.key_pair.resource import KeyPair

# What can be set, and the defaults, stand in Pulumi.yaml.
config = pulumi.Config()
regions = config.require_object("regions")
ssh_port = config.require_int("sshPort")
name = f"{pulumi.get_project()}-{pulumi.get_stack()}"

# The key to log in with. The private half is encrypted in Pulumi's state; Lambda gets the public half.
key = KeyPair("key", {"comment": name})
ssh_key = SshKey("ssh-key", {"public_key": key.public_key})

# The key by which the machine proves that it is ours. It gets it with its first boot.
host_key = KeyPair("host-key", {"comment": f"{name}-host"})
first_boot = pulumi.Output.all(host_key.private_key, host_key.public_key).apply(lambda pair: user_data(*pair))

# What may reach the machine: SSH, and nothing else. A ruleset belongs to one region, so there is one for each.
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

# The launch. It bills from its first passed health check until `pulumi destroy`.
instance = Instance(
    "instance",
    {
        "name": name,
        "instance_types": config.require_object("instanceTypes"),
        "regions": regions,
        "image_family": config.require("imageFamily"),
        "ssh_key_name": ssh_key.name,
        "firewall_rulesets": {region: ruleset.id for region, ruleset in rulesets.items()},
        "user_data": first_boot,
        "max_price_cents_per_hour": round(config.require_float("maxPricePerHour") * 100),
    },
)

# A launch gives an id at once, and an address and SSH only after minutes.
boot = BootWait(
    "boot",
    {
        "machines": [{"instance_id": instance.id, "public_host_key": host_key.public_key}],
        "ssh_port": ssh_port,
    },
)

ip = boot.ips[0]
key_file = f"~/.ssh/{name}"
pulumi.export("ip", ip)
pulumi.export("instance_id", instance.id)
pulumi.export("instance_type", instance.instance_type)
pulumi.export("region", instance.region)
pulumi.export("price_per_hour", instance.price_cents_per_hour.apply(lambda cents: cents / 100))
pulumi.export("ssh_private_key", key.private_key)
pulumi.export(
    "ssh",
    pulumi.Output.all(ip, host_key.public_key).apply(lambda pair: ssh_command(pair[0], ssh_port, pair[1], key_file)),
)
