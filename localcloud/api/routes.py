"""Every endpoint of the API; the name of its function is the name of its operation for faults and the journal."""

from aiohttp import web

from localcloud.api import audit, catalogue, fabric, filesystems, firewall, instances, launch, ssh_keys, tickets

ID = "{id:(?!global$)[^/]+}"
"""An id in a path, well-formed or not; `global` is no id, so a method that the global ruleset does not know is 405."""


def api_routes() -> list[web.RouteDef]:
    """Paths are relative to /api/v1."""
    return [
        web.get("/instances", instances.list_instances),
        web.get(f"/instances/{ID}", instances.get_instance),
        web.post(f"/instances/{ID}", instances.update_instance),
        web.post("/instance-operations/launch", launch.launch),
        web.post("/instance-operations/restart", instances.restart),
        web.post("/instance-operations/terminate", instances.terminate),
        web.get("/instance-types", catalogue.instance_types),
        web.get("/regions", catalogue.list_regions),
        web.get("/images", catalogue.list_images),
        web.get("/ssh-keys", ssh_keys.list_ssh_keys),
        web.post("/ssh-keys", ssh_keys.create_ssh_key),
        web.delete(f"/ssh-keys/{ID}", ssh_keys.delete_ssh_key),
        # Lambda has two spellings; the one with the hyphen can only be read.
        web.get("/file-systems", filesystems.list_filesystems),
        web.get("/filesystems", filesystems.list_filesystems),
        web.post("/filesystems", filesystems.create_filesystem),
        web.delete(f"/filesystems/{ID}", filesystems.delete_filesystem),
        web.get("/firewall-rules", firewall.list_firewall_rules),
        web.put("/firewall-rules", firewall.set_firewall_rules),
        web.get("/firewall-rulesets/global", firewall.get_global_firewall_ruleset),
        web.patch("/firewall-rulesets/global", firewall.update_global_firewall_ruleset),
        web.get("/firewall-rulesets", firewall.list_firewall_rulesets),
        web.post("/firewall-rulesets", firewall.create_firewall_ruleset),
        web.get(f"/firewall-rulesets/{ID}", firewall.get_firewall_ruleset),
        web.patch(f"/firewall-rulesets/{ID}", firewall.update_firewall_ruleset),
        web.delete(f"/firewall-rulesets/{ID}", firewall.delete_firewall_ruleset),
        web.post("/fabric", fabric.create_fabric_partition),
        web.post(f"/fabric/{ID}", fabric.update_fabric_partition),
        web.delete(f"/fabric/{ID}", fabric.delete_fabric_partition),
        web.get("/audit-events", audit.get_audit_events),
        web.route("*", "/tickets", tickets.tickets),
        web.route("*", "/tickets/{rest:.*}", tickets.tickets),
    ]
