"""Transformations that bring a prototype to an image, each the identity where its parameters are zero."""

from mintmark.cluster.transformations.affine import identity, inverse, warp

__all__ = ["identity", "inverse", "warp"]
