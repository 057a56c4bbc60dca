"""The contest: sites arrive one after another, and every rule learns from them in its own way."""
