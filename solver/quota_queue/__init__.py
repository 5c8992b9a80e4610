"""The mechanism `quota-queue`: the three-pool distribution by counts that Moscow's contract made in 2019.

``forms`` is what the contract was given, ``distribution`` what it did with it, exactly, so that an old season can be
replayed to the same lists; ``season`` runs it on a season of this program, as a baseline to compare with.
"""

from solver.quota_queue.distribution import distribute, replay
from solver.quota_queue.forms import VEGETABLES, Cell, Distribution, Form, Kind, Lists, Places, PoolName, taking_part
from solver.quota_queue.season import solve_quota_queue

__all__ = [
    "VEGETABLES",
    "Cell",
    "Distribution",
    "Form",
    "Kind",
    "Lists",
    "Places",
    "PoolName",
    "distribute",
    "replay",
    "solve_quota_queue",
    "taking_part",
]
