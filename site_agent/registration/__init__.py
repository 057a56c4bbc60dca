"""Images of a site registered: one pair, a clip frame by frame, and experts that learn it."""
