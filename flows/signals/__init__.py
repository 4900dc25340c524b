"""What comes back: one intake, its files, and scores made anew."""
