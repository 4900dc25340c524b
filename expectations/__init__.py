"""What data must look like: one suite a file, readable as sentences, and the gate that judges a send plan."""
