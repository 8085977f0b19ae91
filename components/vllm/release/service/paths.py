"""Paths of vLLM's HTTP API that clients may use; every other one is closed to them.

Not here: what changes the server, its docs, and paths that other programs than clients use. All paths that a release
has are in its list, paths.json.
"""

import re

HEALTH = "/health"
GET_PATHS = (HEALTH, "/metrics", "/version", "/v1/models", "/v1/responses/{id}")
POST_PATHS = (
    *("/v1/completions", "/v1/chat/completions", "/v1/chat/completions/batch"),
    *("/v1/responses", "/v1/responses/{id}/cancel", "/v1/messages", "/v1/messages/count_tokens"),
    *("/v1/embeddings", "/v2/embed", "/score", "/v1/score", "/rerank", "/v1/rerank", "/v2/rerank"),
    *("/pooling", "/classify", "/generative_scoring", "/v1/audio/transcriptions", "/v1/audio/translations"),
    *("/tokenize", "/detokenize"),
)
RESPONSE_ID = re.compile(r"(/v1/responses/)[A-Za-z0-9_-]{1,128}(/cancel)?")
"""A path with `{id}`, as a client asks for it."""
