"""The made-up season against the facts it is calibrated to."""

from __future__ import annotations

from collections import Counter

import pytest

from data.importers import read_season
from data.season_files import write_season
from data.synthetic import synthesize
from fairalloc.rules import parse_rules, read_rules


@pytest.fixture(scope="module")
def made():
    return synthesize(20_000, seed=2026)


def test_the_same_seed_is_the_same_season():
    assert synthesize(500, seed=3) == synthesize(500, seed=3)
    assert synthesize(500, seed=3) != synthesize(500, seed=4)


@pytest.mark.parametrize("size", [1, 2, 37, 2_000])
def test_any_size_can_be_asked_for(size, tmp_path):
    small = synthesize(size, seed=1)
    assert len(small.season.applications) == size
    write_season(tmp_path, small.rules_text, small.season)
    rules, text = read_rules(tmp_path)
    assert text == small.rules_text
    assert read_season(tmp_path, rules) == small.season


def test_sites_applications_and_the_rush(made):
    season, rules = made.season, parse_rules(made.rules_text)
    assert abs(len(season.sites) - 15_000) <= 300
    opens = rules.campaign.opens
    first_hour = sum(opens <= a.submitted_at < opens + 3600 * 10**9 for a in season.applications)
    assert 0.6 < first_hour / 20_000 < 0.8
    per_applicant = Counter(a.applicant_id for a in season.applications)
    assert len(per_applicant) < 15_000
    assert max(per_applicant.values()) > 3
    kinds = Counter(a.kind for a in season.applicants)
    assert set(kinds) == {kind.id for kind in rules.kinds}
    first = Counter(a.choices[0].fair_id for a in season.applications)
    top = sum(number for _, number in first.most_common(10))
    assert top / 20_000 > 0.25  # a tenth of the fairs draws more than a quarter of the first choices
    assert len({len(a.choices) for a in season.applications}) > 3
    assert any(a.needs for a in season.applications)
    assert season.incumbents
