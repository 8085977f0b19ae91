"""A check on a real machine, for one dollar at most: up, measure, destroy, report."""
