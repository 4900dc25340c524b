"""What we know and decide: facts, rules and the ledger. No clock, network, templates or workflow engine in here."""
