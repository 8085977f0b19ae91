"""Every endpoint of the API; the name of its function is the name of its operation for faults and the journal."""

from aiohttp import web

from localcloud.api import catalogue, filesystems, firewall, instances, launch, ssh_keys


def api_routes() -> list[web.RouteDef]:
    """Paths are relative to /api/v1."""
    return [
        web.get("/instances", instances.list_instances),
        web.get("/instances/{id}", instances.get_instance),
        web.post("/instances/{id}", instances.update_instance),
        web.post("/instance-operations/launch", launch.launch),
        web.post("/instance-operations/restart", instances.restart),
        web.post("/instance-operations/terminate", instances.terminate),
        web.get("/instance-types", catalogue.instance_types),
        web.get("/regions", catalogue.list_regions),
        web.get("/images", catalogue.list_images),
        web.get("/ssh-keys", ssh_keys.list_ssh_keys),
        web.post("/ssh-keys", ssh_keys.create_ssh_key),
        web.delete("/ssh-keys/{id}", ssh_keys.delete_ssh_key),
        # Lambda has two spellings; the one with the hyphen can only be read.
        web.get("/file-systems", filesystems.list_filesystems),
        web.get("/filesystems", filesystems.list_filesystems),
        web.post("/filesystems", filesystems.create_filesystem),
        web.delete("/filesystems/{id}", filesystems.delete_filesystem),
        web.get("/firewall-rules", firewall.list_firewall_rules),
        web.put("/firewall-rules", firewall.set_firewall_rules),
        web.get("/firewall-rulesets/global", firewall.get_global_firewall_ruleset),
        web.patch("/firewall-rulesets/global", firewall.update_global_firewall_ruleset),
        web.get("/firewall-rulesets", firewall.list_firewall_rulesets),
        web.post("/firewall-rulesets", firewall.create_firewall_ruleset),
        web.get("/firewall-rulesets/{id}", firewall.get_firewall_ruleset),
        web.patch("/firewall-rulesets/{id}", firewall.update_firewall_ruleset),
        web.delete("/firewall-rulesets/{id}", firewall.delete_firewall_ruleset),
    ]
