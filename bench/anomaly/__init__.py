"""Which detector finds what is foreign? One case a module."""
