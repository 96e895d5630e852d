"""Serving runtimes: which model server loads which format. The built-in ones, and how one is chosen and merged."""
