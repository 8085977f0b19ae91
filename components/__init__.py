"""What the Pulumi program is made of: the cloud, a machine in it, and vLLM on the machine."""
