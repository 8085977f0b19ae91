"""Makes anew what depends on a release of vLLM, and says what a person has to look at."""
