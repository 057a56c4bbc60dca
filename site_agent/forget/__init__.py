"""A patient is taken out: at once from everything here, and from sums that left as soon as the rules allow."""
