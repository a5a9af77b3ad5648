"""Flyball watches Flywheel sites, applies a lab's rules, and can explain every yes and every no."""

__version__ = "0.1.0"
