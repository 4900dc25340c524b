"""A rep's word, and what sales and marketing owe each other."""
