"""How replicas share the work: signs of life and locks (`session`), and the looks, through procrastinate (`queue`)."""
