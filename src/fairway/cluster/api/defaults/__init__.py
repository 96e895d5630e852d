"""What built-in kinds get when a client leaves it out: tables, and the few that depend on other fields."""
