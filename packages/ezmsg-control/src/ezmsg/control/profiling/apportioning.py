"""Sharing out whole numbers so that nothing is lost. Pure."""

from collections.abc import Sequence


def apportion(amount: int, weights: Sequence[int]) -> list[int]:
    """Share an amount out by weights, in whole numbers that add up to it; evenly if all weights are 0."""
    total = sum(weights)
    if total == 0:
        weights, total = [1] * len(weights), len(weights)
    if not weights:
        return []
    parts, shared, seen = [], 0, 0
    for weight in weights:
        seen += weight
        upto = amount * seen // total
        parts.append(upto - shared)
        shared = upto
    return parts
