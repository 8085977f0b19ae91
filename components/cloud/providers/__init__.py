"""What the plugin does for each resource. The program does not load it: see `components.cloud.deferred`."""
