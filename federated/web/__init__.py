"""Pages over HTTP: who may see them, and what is refused before any page is asked."""
