"""The nouns: plain values and ports, on the standard library alone."""
