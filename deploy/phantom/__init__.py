"""The phantom written to disk: images of made-up hospitals, and the layouts of public data sets."""
