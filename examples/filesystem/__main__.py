"""A filesystem that outlives the machine, and an instance that mounts it.

`components` in this folder is a link to the folder of that name two levels up: Pulumi imports the resources from the
folder of the program. In a copy of this example, copy `components` beside it.
"""

import pulumi

from components.lambda_cloud.boot_wait.resource import BootWait
from components.lambda_cloud.filesystem.resource import Filesystem
from components.lambda_cloud.firewall.resource import FirewallRuleset
from components.lambda_cloud.instance.resource import Instance
from components.lambda_cloud.ssh_key.resource import SshKey
from components.machine.key_pair.resource import KeyPair
from components.machine.ssh_words import ssh_words

# What can be set, and the defaults, stand in Pulumi.yaml.
config = pulumi.Config()
region = config.require("region")
ssh_port = config.require_int("sshPort")
name = f"{pulumi.get_project()}-{pulumi.get_stack()}"

# With `retain` it stays when the stack is destroyed. To delete it, set `retain` to false, run `pulumi up`, and only
# then `pulumi destroy`: what counts at the end is what the last `up` has written down.
filesystem = Filesystem(
    "data",
    {"name": config.require("filesystemName"), "region": region, "retain": config.require_bool("retain")},
)

key = KeyPair("key", {"comment": name})
ssh_key = SshKey("ssh-key", {"public_key": key.public_key})

# What may reach the machine: SSH, and nothing else.
firewall = FirewallRuleset(
    "firewall",
    {
        "region": region,
        "rules": [
            {"protocol": "tcp", "port_range": [ssh_port, ssh_port], "source_network": network, "description": "SSH"}
            for network in config.require_object("sshFrom")
        ],
    },
)

# A filesystem is mounted at the launch only, and only by machines of its region.
instance = Instance(
    "instance",
    {
        "name": name,
        "instance_types": config.require_object("instanceTypes"),
        "regions": [region],
        "image_family": config.require("imageFamily"),
        "ssh_key_name": ssh_key.name,
        "firewall_rulesets": {region: firewall.id},
        "filesystem_names": [filesystem.name],
        "max_price_cents_per_hour": round(config.require_float("maxPricePerHour") * 100),
    },
)

# A launch gives an id at once, and an address and SSH only after minutes.
boot = BootWait("boot", {"machines": [{"instance_id": instance.id}], "ssh_port": ssh_port})

ip = boot.ips[0]
pulumi.export("ip", ip)
pulumi.export("instance_id", instance.id)
pulumi.export("mount_point", filesystem.mount_point)
pulumi.export("filesystem_id", filesystem.id)
pulumi.export("filesystem_made_here", filesystem.created)
pulumi.export("price_per_hour", instance.price_cents_per_hour.apply(lambda cents: cents / 100))
pulumi.export("ssh_private_key", key.private_key)
pulumi.export("ssh", pulumi.Output.concat(" ".join(ssh_words()), f" -i ~/.ssh/{name} -p {ssh_port} ubuntu@", ip))
