"""Does synthetic data help? Arms, budgets, paired comparison, verdict."""
