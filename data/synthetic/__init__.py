"""A made-up season of any size, calibrated to what is known of Moscow's weekend fairs of 2013-2019.

The facts (fairs by district, stalls a period, applications a year, kinds, the rush of the first hour) are public
figures; every person, firm and number here is invented. The same arguments give the same season on every machine.
"""

from pathlib import Path

from data.synthetic.places import read_fairs, read_groups
from data.synthetic.season import SyntheticSeason, synthesize

__all__ = ["SyntheticSeason", "read_fairs", "read_groups", "synthesize", "synthesize_at"]


def synthesize_at(
    applications: int,
    seed: int,
    fairs: Path | None,
    groups: Path | None,
    several: float,
    *,
    every_rule: bool,
    weekends: bool = False,
) -> SyntheticSeason:
    """A season at the fairs, and of the product groups, of two CSV files; made up too where there is no file."""
    return synthesize(
        applications,
        seed=seed,
        fairs=None if fairs is None else read_fairs(fairs),
        groups=None if groups is None else read_groups(groups),
        multi_stall_share=several,
        every_rule=every_rule,
        weekends=weekends,
    )
