"""The downstream classifier."""
