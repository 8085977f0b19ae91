"""The key of an endpoint and nothing else."""

import pulumi

from components.vllm.api_key.resource import ApiKey

given = pulumi.Config().get_secret("apiKey") or ""
pulumi.export("api_key", ApiKey("api-key", given).key)
