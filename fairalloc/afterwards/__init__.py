"""After the allocation: what rounds of the waiting list, moves, appeals and decisions lead to, by the rules alone.

Services propose by these modules and an audit computes again by the same. Read `free_sites` (where one could stand as
things are), `moving`, `decisions`, `rounds` and `waiting`, in this order.
"""
