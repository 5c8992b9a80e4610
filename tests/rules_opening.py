"""What the rules of small seasons begin with: a campaign in February, the periods May and June, and a lottery."""

from __future__ import annotations

from collections.abc import Sequence

SEASON = """
[season]
id = "{}"
[campaign]
id = "campaign"
opens = 2026-02-01T00:00:00Z
closes = 2026-03-01T00:00:00Z
[[periods]]
id = "may"
starts = 2026-05-01
ends = 2026-05-31
[[periods]]
id = "june"
starts = 2026-06-01
ends = 2026-06-30
[lottery]
id = "lottery"
source = "test"
value = "0"
"""


def opening(season: str, *, categories: Sequence[str], kinds: Sequence[str], features: Sequence[str] = ()) -> str:
    """The text up to what decides: names, dates and the lottery. More tables may follow, but no more keys."""
    declared = [f'[[categories]]\nid = "{name}"\n' for name in categories]
    declared += [f'[[kinds]]\nid = "{name}"\n' for name in kinds]
    listed = ", ".join(f'"{name}"' for name in features)
    return f"features = [{listed}]{SEASON.format(season)}{''.join(declared)}"
