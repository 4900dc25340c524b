"""What came back: posts as they were taken in, signals, whose they are, and what they do."""
