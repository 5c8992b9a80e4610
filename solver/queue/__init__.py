"""The mechanism `queue`: strictly first come, first served, with look-ahead."""

from __future__ import annotations

from fairalloc.allocation import AllocationRequest, AllocationResult
from solver.queue.apart import part_neighbours
from solver.queue.network import serve_network
from solver.queue.serving import serve


def solve_queue(request: AllocationRequest) -> AllocationResult:
    """Serve the queue: over all fairs at once where each takes one site and sites alone are scarce.

    Soft spacing decides nothing but who stands where in the end.
    """
    rules, spacing = request.rules, request.rules.spacing
    served = serve_network(request) if rules.gives_one_site_each and not rules.fair_priorities else serve(request)
    return served if spacing is None or spacing.strength == "hard" else part_neighbours(request, spacing, served)
