"""Clusters of records up to transformations: K-means and deep networks; their scores and pictures."""
