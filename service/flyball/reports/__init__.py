"""Reports about one project: rows of the mirror in, CSV and one self-contained HTML page out. Pure.

`kinds` says which rows a report reads and what is kept of them; one file for each kind works out what is said
(`content`); `cells`, `page` and `plots` write it down. `python -m flyball.reports` does all of it in a process of its
own, so that the plotting library and the rows of a large project never stand in the daemon's memory.
"""
