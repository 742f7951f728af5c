"""How well and how fast the privacy audit works, case by case."""
