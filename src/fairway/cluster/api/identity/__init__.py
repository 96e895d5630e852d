"""Who asks: tokens, certificates, whom somebody acts as, and the questions that clients ask about it."""
