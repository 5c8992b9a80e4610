"""The monitor: what a second organisation watches a chain for, and what it keeps so as to notice a rewriting.

Pure: what a node shows comes in as a :class:`~fairalloc.monitor.view.View`, what is wrong goes out as alerts.
"""

from fairalloc.monitor.judge import Alert, Expected, Level, Monitor
from fairalloc.monitor.record import Anchor, Record, Shown
from fairalloc.monitor.view import Event, SeasonView, View

__all__ = [
    "Alert",
    "Anchor",
    "Event",
    "Expected",
    "Level",
    "Monitor",
    "Record",
    "SeasonView",
    "Shown",
    "View",
]
