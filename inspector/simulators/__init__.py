"""The book's models on plain numbers: page replacement, overlays, the cost of page tables.

A simulator takes page numbers and sizes, never programs; the commands bring the two together. Nothing here
knows this machine.
"""
