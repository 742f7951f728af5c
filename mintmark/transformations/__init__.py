"""Changes of images that a few numbers tell, each the identity where they are zero: warps, colour, morphology."""
