"""The chaos suite: the daemon as processes that are killed, stopped and starved, and what is true afterwards."""
