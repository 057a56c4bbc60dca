"""The demonstration: sites arrive one after another and build one classifier, and every step is measured."""
