"""Data views: a table of chosen fields over a part of the hierarchy, also of rows inside of files."""
