"""Where tissue goes from image to image, by all experts of registration that are here."""
