"""How a certified plan leaves: claimed, carried, journalled, braked, and its record."""
