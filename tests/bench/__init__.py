"""`make bench`: what the program costs, measured beside what people use today. `python -m bench --help`."""
