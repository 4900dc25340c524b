"""The outside world: one provider, one file; send and event table together."""
