"""Anomaly detection in time series: streaming and windowed detectors, and the Numenta benchmark that judges them."""
