"""Anomaly detection: AnoGAN, f-AnoGAN, other detectors that learn from normals alone, and baselines beside them."""
