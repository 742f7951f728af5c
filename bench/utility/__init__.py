"""Does synthetic data help? One case a module."""
