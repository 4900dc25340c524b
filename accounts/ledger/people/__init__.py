"""Who is in a buying group, what may be sent to them, and their rights."""
