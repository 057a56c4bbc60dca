"""Rules that fuse the experts of several sites into one answer."""
