"""How close are two sets of records? Distances, coverage, copies."""
