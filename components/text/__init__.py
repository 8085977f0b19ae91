"""Words for people: counts, and what a misspelt word was meant to be."""
