"""What a hostile bundle brings along."""
