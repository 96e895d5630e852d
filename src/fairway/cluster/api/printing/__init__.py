"""How kubectl shows objects: the columns of each kind, and the tables that they make."""
