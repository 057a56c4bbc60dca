"""Layouts of public data sets, one file each; `deploy/phantom/export.py` lists them."""
