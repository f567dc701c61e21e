"""Base models as files: families, what is missing, and fingerprints; free of torch."""
