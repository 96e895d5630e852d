"""Fairway: pipelines, training, tuning, notebooks and serving that start with one command."""

__version__ = "0.1.0"
