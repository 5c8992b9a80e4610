"""Several adjacent stalls, caps, quotas, minimums, spacing: an integer program over runs of stalls, with prices."""

from solver.program.solve import solve_program

__all__ = ["solve_program"]
