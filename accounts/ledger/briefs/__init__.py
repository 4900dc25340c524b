"""What reps are told: the facts of a brief, its turns and roads, letters, and the rows it is proven by."""
