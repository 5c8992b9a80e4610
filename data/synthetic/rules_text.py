"""The season.toml of a made-up season."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

_RULES = """\
# The rules of a made-up season, in the format of docs/season-format.md.

features = ["cold", "power", "vehicle", "water"]

[season]
id = "{season_id}"
name = "Weekend fairs 2026 (made up)"

[campaign]
id = "campaign"
clause = "1. Applications are taken for eleven days. What comes before or after does not take part."
opens = 2026-02-02T09:00:00+03:00
closes = 2026-02-13T09:00:00+03:00

[mechanism]
id = "allocation"
clause = "2. Sites are given out in the order of the queue, so that no one who could be placed without displacing\
 somebody ahead of them is left out; among such allocations the one that meets the best choices."
name = "optimal"
goals = [{goals}]

[priority]
id = "queue"
clause = "3. The queue follows the time of submission, then the registration number."
keys = ["submitted_at", "registration_no"]

[lottery]
id = "lottery"
clause = "4. Ties are broken by lot, once for each applicant."
source = "The number printed on the city gazette of the day on which the campaign closes."
value = "gazette 2026-02-13 no. 31"

[documents]
id = "documents"
clause = "5. An application without its documents does not take part."

[duplicates]
id = "duplicates"
clause = "6. Of applications that repeat each other only the first takes part."

[stalls]
id = "stalls"
clause = "7. {stalls_clause}"
multiple = "{multiple}"

[numbering]
id = "returning"
clause = "8. Who comes back to a fair stands where they stood, if that costs nobody a place or a better choice."
returning = "keep"

[[admissions]]
id = "individuals"
clause = "9. Individuals sell what they grow on their own plot."
kinds = ["individual"]
categories = ["vegetables"]

[[admissions]]
id = "producers"
clause = "10. Farmers, entrepreneurs and companies sell goods of every category."
kinds = ["farmer", "entrepreneur", "company"]
categories = ["vegetables", "meat-dairy", "fish", "bread-groceries"]

[[application_caps]]
id = "individuals-once"
clause = "11. An individual takes part with one application in each period."
kinds = ["individual"]
per = "period"
max_applications = 1

[[application_caps]]
id = "producers-thrice"
clause = "12. Everyone else takes part with at most three applications in each period."
kinds = ["farmer", "entrepreneur", "company"]
per = "period"
max_applications = 3
"""

_EVERY_RULE = """\

[[quotas]]
id = "farmers-vegetables"
clause = "13. Half of the sites of each fair that take vegetables are for farmers, as far as they ask for them."
kinds = ["farmer"]
category = "vegetables"
percent = 50

[[quotas]]
id = "plots"
clause = "14. One site in twenty of each fair is for individuals, as far as they ask for them."
kinds = ["individual"]
percent = 5

[[minimums]]
id = "some-fish"
clause = "15. At each fair at least one stall sells fish, where anybody applies."
category = "fish"
min_stalls = 1

[[minimums]]
id = "some-bread"
clause = "16. At each fair at least two stalls sell bread and groceries, where anybody applies."
category = "bread-groceries"
min_stalls = 2

[[caps]]
id = "one-owner"
clause = "17. Whoever stands behind several applicants has at most four stalls in a period."
of = "owner"
per = "period"
max_stalls = 4

[[caps]]
id = "one-fair"
clause = "18. One applicant has at most three stalls at a fair in a period."
of = "applicant"
per = "fair"
max_stalls = 3

[[fair_caps]]
id = "little-fish"
clause = "19. At most four stalls of a fair sell fish."
category = "fish"
max_stalls = 4

[[fair_caps]]
id = "first-vegetables"
clause = "20. At most six stalls of a fair sell the most common vegetables."
group = "vegetables-01"
max_stalls = 6

[spacing]
id = "neighbours"
clause = "21. Neighbours in a row do not sell the same group of goods."
distance = 1
"""

_OFFERS = """\

[offers]
id = "offers"
clause = "22. Offers are confirmed by 6 March, later ones within a day; freed sites are offered until an hour ahead."
opens_at = "08:00+03:00"
confirm_by = 2026-03-06T18:00:00+03:00
confirm_hours = 24
rounds = [168, 96, 48, 24, 12, 6, 3, 1]
"""


def rules_text(
    season_id: str,
    periods: Sequence[str],
    groups: Mapping[str, Sequence[tuple[str, str]]],
    kinds: Sequence[str],
    *,
    several: bool = False,
    every_rule: bool = False,
    offers: bool = False,
) -> str:
    """The text of the rules.

    Args:
        season_id: the season's id.
        periods: months like ``2026-04``, or Saturdays like ``2026-04-04``.
        groups: product groups (id, name) by category.
        kinds: of applicants.
        several: let requests for several stalls in.
        every_rule: add quotas, minimums, caps of every sort and spacing.
        offers: add deadlines of offers and rounds of the waiting list.
    """
    clause = (
        "Who asks for several stalls is given them side by side." if several else "Each application is for one stall."
    )
    told = {"season_id": season_id, "stalls_clause": clause, "multiple": "adjacent" if several else "reduce"}
    goals = ["reserves", "minimums", "priority", "choices"] if every_rule else ["priority", "choices"]
    told["goals"] = ", ".join(map(_string, goals))
    text = _RULES + (_EVERY_RULE if every_rule else "") + (_OFFERS if offers else "")
    for name, value in told.items():
        text = text.replace(f"{{{name}}}", value)
    parts = [text]
    for period in periods:
        starts, ends = _dates(period)
        parts.append(f'[[periods]]\nid = "{period}"\nstarts = {starts}\nends = {ends}\n')
    for category, items in groups.items():
        named = "".join(f"\n    {_string(group)},{f'  # {name}' if name else ''}" for group, name in items)
        parts.append(f'[[categories]]\nid = "{category}"\ngroups = [{named}\n]\n')
    parts += [f'[[kinds]]\nid = "{kind}"\n' for kind in kinds]
    return "\n".join(parts)


def _dates(period: str) -> tuple[date, date]:
    """The first and the last day of a month, or of a weekend by its Saturday."""
    if period.count("-") > 1:
        saturday = date.fromisoformat(period)
        return saturday, saturday + timedelta(days=1)
    first = date.fromisoformat(f"{period}-01")
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
