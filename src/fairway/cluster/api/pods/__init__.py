"""What is asked of a pod besides its object: logs, commands, measures, and that it leaves."""
