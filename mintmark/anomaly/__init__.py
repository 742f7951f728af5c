"""Anomaly detection: AnoGAN and the baselines beside it."""
