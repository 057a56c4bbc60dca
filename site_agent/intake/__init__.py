"""Taking images in: looked at once, de-identified, and told."""
