"""Reps: which accounts they speak for, and what they answered."""
