"""All SQL, one module per noun. Functions take an open `Connection` first and never ask the clock."""
