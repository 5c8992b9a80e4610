"""A made-up season of any size, calibrated to what is known of Moscow's weekend fairs of 2013-2019.

The facts (fairs by district, stalls a period, applications a year, kinds, the rush of the first hour) are public
figures; every person, firm and number here is invented. The same arguments give the same season on every machine.
"""

from data.synthetic.places import read_fairs, read_groups
from data.synthetic.season import SyntheticSeason, synthesize

__all__ = ["SyntheticSeason", "read_fairs", "read_groups", "synthesize"]
