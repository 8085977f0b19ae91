"""Faults on demand: the next calls of an operation go wrong in a chosen way.

`kinds` has them all with the operations they fit, `waiting` those still to come. What a kind does is in `before` (the
cloud does not act), `late` (it acts or answers late), `after` (it has acted, the answer suffers) and `marks` (it acts,
but not as it should).
"""
