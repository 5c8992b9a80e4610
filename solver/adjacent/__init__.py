"""Requests for several adjacent stalls, and caps: an integer program over runs of stalls, bounded by integer prices."""

from solver.adjacent.solve import solve_adjacent

__all__ = ["solve_adjacent"]
