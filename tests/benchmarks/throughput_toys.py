"""A subject of every kind, as small as it can be."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.throughput_subjects import QUICK

TOYS = [replace(subject, width=2, side=32, steps=1, batch=3) for subject in QUICK]
NAMES = [subject.kind for subject in QUICK]
