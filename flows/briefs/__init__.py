"""Briefs for reps, and what they hear at once."""
