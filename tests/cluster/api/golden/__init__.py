"""What a real API server answered, replayed against ours where its behaviour was in doubt."""
