"""What the other packages share: places, files, work and its result, caches, uv."""
