"""Anonymisation, attacks, shadow models, bounds."""
