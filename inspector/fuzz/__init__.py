"""Mutants of a program: what the simulated loader says of each, against the kernel's own word.

fields.py      a file as named fields; two files as the fields in which they differ
mutation.py    (program, seed, number) -> mutant
trial.py       one mutant, predicted and executed
shrink.py      the fewest changed fields that still differ
campaign.py    a stretch of numbers, tried one after the other
"""
