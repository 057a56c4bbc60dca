"""The site's own log of its decisions: written as they are made, told of in sums, opened one by one."""
