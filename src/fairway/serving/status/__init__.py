"""What an InferenceService says of itself, from what was seen of its children. Pure."""
