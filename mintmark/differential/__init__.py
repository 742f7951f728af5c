"""Differential privacy by noisy gradients (Abadi et al. 2016, DP-SGD): the accountant and the mechanism, both Opacus'."""
