"""A small Hugging Face hub: what `huggingface_hub`, transformers and vLLM ask of huggingface.co to fetch a model.

The models have the names and the shape of real ones and tiny random weights, made on the spot. What the hub answers
follows huggingface.co as its clients (`huggingface_hub` 2.4, transformers 5.19, vLLM 0.32) read it, errors included.
"""

from localcloud.hub.access import HubTokens, hub_tokens
from localcloud.hub.routes import hub_routes

__all__ = ["HubTokens", "hub_routes", "hub_tokens"]
