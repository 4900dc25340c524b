"""A believable world in a folder of its own: an invented vendor, its accounts, its reps, and buyers who answer."""
