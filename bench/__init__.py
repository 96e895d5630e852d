"""Benchmarks: `make bench` prints the budgets of the product as one table, each beside a reference of the same run.

Machines are noisy; read the ratios, not the absolute times.
"""
