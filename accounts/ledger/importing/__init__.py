"""Rows from outside: where they wait, what is new in them, and those that could not be taken."""
