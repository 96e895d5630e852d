"""Stands in for the package of this name, by which kr8s' tests make a cluster: here it is there already."""
