"""What of a site's own images looks like a given one, by all encoders that are here."""
