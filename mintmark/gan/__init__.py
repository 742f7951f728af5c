"""Generative adversarial networks: networks, losses, augmentation, training, sampling."""
