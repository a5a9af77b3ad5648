"""The addresses of the emulated Neuroscout server, one file for each group of them."""
