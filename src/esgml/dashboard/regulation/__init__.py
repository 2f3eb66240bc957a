"""The page with what regulation asks: duties by risk and deadline, and a text read closely."""
