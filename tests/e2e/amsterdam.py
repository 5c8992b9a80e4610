"""The rules of one Amsterdam market day, for the files of the Dappermarkt.

Its kinds, categories and features are read off its files; what is judged here is the order and the handling of stalls.
"""

from __future__ import annotations

import csv
from pathlib import Path

_HEAD = """
features = [{features}]

[season]
id = "dappermarkt-2021-10-30"
name = "Dappermarkt, Saturday 30 October 2021"

[campaign]
id = "registration"
clause = "Vendors register for the day before it begins."
opens = 2021-10-29T00:00:00+02:00
closes = 2021-10-30T09:00:00+02:00

[[periods]]
id = "2021-10-30"
starts = 2021-10-30
ends = 2021-10-30

[mechanism]
id = "allocation"
clause = "As many vendors as possible are placed; then as many of the stalls they ask for, then the best choices."
goals = ["placed", "extra_stalls", "choices"]

[priority]
id = "seniority"
clause = "Fixed holders first, then by registration number."
keys = ["registration_no"]

[lottery]
id = "lottery"
clause = "Ties are broken by lot."
source = "A constant: registration numbers are unique, so that no tie occurs."
value = "none"

[stalls]
id = "adjacent-stalls"
clause = "A vendor stands on adjacent stalls, at least as many as are needed and at most as many as are wanted."
multiple = "adjacent"

[numbering]
id = "returning"
clause = "Fixed holders keep their stall."
returning = "keep"
"""


def season_toml(folder: Path) -> str:
    """The season.toml for the files in a folder."""
    applications, applicants, sites = (
        list(csv.DictReader((folder / name).open(encoding="utf-8")))
        for name in ("applications.csv", "applicants.csv", "sites.csv")
    )
    features = {f for row in sites for f in row["features"].split("|")}
    features |= {f for row in applications for f in row["needs"].split("|")}
    categories = {row["category"] for row in applications} | {c for row in sites for c in row["categories"].split("|")}
    text = _HEAD.replace("{features}", ", ".join(f'"{f}"' for f in sorted(features - {""})))
    for table, names in (("categories", categories), ("kinds", {row["kind"] for row in applicants})):
        text += "".join(f'\n[[{table}]]\nid = "{name}"\n' for name in sorted(names - {""}))
    for row in csv.DictReader((folder / "category_caps.csv").open(encoding="utf-8")):
        category, most = row["category"], row["max_sites_per_fair"]
        if category in categories:
            text += f'\n[[fair_caps]]\nid = "most-{category}"\ncategory = "{category}"\nmax_stalls = {most}\n'
    return text
