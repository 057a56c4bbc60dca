"""The coordinator's pages: what arrived, what was made of it, and who uses it."""
