"""What a site has, at a glance: in a terminal, as JSON, as a page."""
