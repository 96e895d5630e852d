"""A pod's volumes: folders on disk, what is in them, and how that follows the objects that it comes from.

    a container is to start -> folders -> contents -> publishing
    time passes, and a size is limited -> sizes -> the worker evicts
    an object changed -> following -> contents -> publishing

`publishing` replaces the files of a volume all at once. emptyDirs belong to the pod.
"""
