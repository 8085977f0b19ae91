"""How this program names itself to the servers that it asks."""

from components.text.version import VERSION

USER_AGENT = f"pulumi-lambda-vllm/{VERSION}"
"""The edge before Lambda's API answers the default agent of Python's urllib with 403, so a name is always sent."""
