"""How the audit rounds what it tells: coarsely, so that repeated releases leak little, and never in a release's favour."""

import math

DIGITS = 3
LEVEL = 0.95  # of every interval and bound


def rounded_up(value: float) -> float:
    """The next larger value of so many digits, at most 1: for high ends and bounds."""
    return min(1.0, math.ceil(value * 10**DIGITS - 1e-9) / 10**DIGITS)


def rounded_down(value: float, *, least: float = 0.0) -> float:
    """The next smaller value of so many digits, at least `least`: for low ends."""
    return max(least, math.floor(value * 10**DIGITS + 1e-9) / 10**DIGITS)
