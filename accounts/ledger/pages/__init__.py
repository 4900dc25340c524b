"""What people look up: an account, its history, why somebody got what, and how the ledger is."""
