"""Mutants of a program: what the simulated loader says of each, against the kernel's own word.

fields.py          a file as named fields; two files as the fields in which they differ
image.py           a file in the making: its headers by name, of either class
values.py          the values that decide something
mutation.py        (program, seed, number) -> mutant
surroundings.py    (seed, number) -> what it is executed as, and under what
trial.py           one mutant, predicted and executed
shrink.py          the fewest changed fields that still differ
campaign.py        a stretch of numbers, tried one after the other
"""
