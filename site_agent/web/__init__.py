"""The hospital's pages: what is here, what would leave, what left, what experts say, which release answers."""
