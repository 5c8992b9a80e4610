"""HiGHS as everything here runs it: on one core, and without a word."""

from __future__ import annotations

from typing import Any

import highspy


class _Quiet(highspy.Highs):
    """An engine that leaves stdout to the data that commands print there: no callbacks, no banner."""

    def enableCallbacks(self) -> None:  # noqa: N802  # the engine's own name; it would print the banner
        """Leave them off."""


def quiet_engine(**options: str | float) -> Any:  # the package's types leave out the basis
    """HiGHS on one core, without a word.

    Args:
        options: more of its options, by name.
    """
    engine = _Quiet()  # type: ignore[no-untyped-call]
    for name, value in {"output_flag": False, "threads": 1, **options}.items():
        engine.setOptionValue(name, value)
    return engine
