"""The lock: database triggers that refuse what no code path may do."""
