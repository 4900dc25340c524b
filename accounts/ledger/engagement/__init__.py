"""How much people care: scores, the rules they are made with, and what reps said of them."""
