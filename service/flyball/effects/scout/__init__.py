"""Effects on a Neuroscout server: analyses, and predictors of one's own."""
