"""Fairway: pipelines, training, tuning, notebooks and serving that start with one command."""
