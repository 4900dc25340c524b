"""The promises between marketing and sales: the facts they rest on, and their clocks."""
