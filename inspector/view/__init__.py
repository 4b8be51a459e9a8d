"""What people look at, before any medium draws it: the map, the page grid, a fault's way through the tables.

Pure functions from the model's types to small frozen dataclasses. Nothing here chooses a word of prose, a
colour or a format, and nothing is judged: what two sides have is put side by side.
"""
