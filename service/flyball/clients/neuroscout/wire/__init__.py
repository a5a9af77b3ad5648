"""Neuroscout's requests and answers as plain values. Pure: nothing is sent from here."""
