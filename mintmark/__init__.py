"""Mintmark: synthetic data released only with measured evidence that it helps and does not leak."""
