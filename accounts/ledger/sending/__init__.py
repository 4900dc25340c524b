"""What leaves: claims and what came of each, the limits on them, and who is in which ad audience."""
