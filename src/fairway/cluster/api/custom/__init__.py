"""Custom resources: what their definitions must be, which names and versions they hold, how versions become others."""
