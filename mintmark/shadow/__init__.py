"""Reference models for the audit: trained as the target was, on fresh coins. Apart from the attacks, which change more often."""
