"""K-means, transformations, transformation-invariant clustering, scores."""
