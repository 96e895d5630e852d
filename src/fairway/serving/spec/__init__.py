"""What an InferenceService asks for: defaulted and checked; what is not supported is refused by name. Pure."""
