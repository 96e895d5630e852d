"""What is wrong with objects of built-in kinds, beyond their schema: one file for each family, in upstream's words.

`builtin_checks` is the table of all; `strategies` reads it.
"""
