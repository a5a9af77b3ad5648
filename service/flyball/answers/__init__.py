"""What is answered over HTTP: `answers` is the port that the server asks, `rules` lists, `gauges` measures."""

from flyball.answers.answers import Answers

__all__ = ["Answers"]
