"""The auditor's pages: a bundle read once into an index of its own, and what a person sees of it."""
