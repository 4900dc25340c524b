"""What is to leave: snapshots to decide from, decisions, send plans, and touches as they stand."""
