"""The core of fairalloc: domain types, rules, status machine, screening, queue, explanations and services.

Nothing in here knows a solver, a chain or a database; they are handed in by the command line.
"""
