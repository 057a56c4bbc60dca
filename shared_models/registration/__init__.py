"""Registration: where each point of a fixed image lies in a moving one, as a band-limited field."""
