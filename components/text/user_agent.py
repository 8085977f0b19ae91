"""How this program names itself to the servers that it asks."""

USER_AGENT = "pulumi-lambda-vllm/1.0"
"""The edge before Lambda's API answers the default agent of Python's urllib with 403, so a name is always sent."""
