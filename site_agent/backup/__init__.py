"""A home in one file, and out of it again."""
