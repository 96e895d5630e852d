"""Operators as people write them with kopf, after its examples. `test_kopf` runs each as a process of its own."""
