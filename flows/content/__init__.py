"""From a marketer's text to the bytes that leave."""
