"""What all pages have in common: the skeleton, the look, and the plots."""
