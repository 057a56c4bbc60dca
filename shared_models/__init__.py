"""Every model that both sides can build: front ends, heads and networks."""
