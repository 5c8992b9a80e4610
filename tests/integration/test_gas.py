"""What every call costs, against a committed snapshot: gas is exact, not a timing.

Two per cent more fails, two per cent less asks to write the snapshot anew, which is done so:

    FAIRALLOC_GAS=update .venv/bin/python -m pytest tests/integration/test_gas.py
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from chain.contract.artifact import artifact
from chain.keyring import ADMIN, CLERK, DESK, PAUSER
from chain.node.anvil_process import find_anvil
from chain.rights import RIGHTS
from fairalloc.ledger import Commit, OpenSeason, Record, SeasonNo, Submit, Topic
from fairalloc.status import Status
from tests.chain_bench import Bench, step

SNAPSHOT = Path(__file__).parent / "gas_snapshot.json"
TOLERANCE = 0.02
BATCHES = (1, 10, 100, 1000)
PER_TRANSITION = 3_300
"""The most that a season may cost on average."""

S = Status


@pytest.fixture(
    params=[pytest.param("anvil", marks=pytest.mark.skipif(find_anvil() is None, reason="no anvil")), "py-evm"]
)
def bench(request, tmp_path):
    made = Bench(tmp_path, prefer=request.param)
    yield made
    made.node.close()


def commitments(count):
    return tuple(sha256(str(number).encode()).digest() for number in range(count))


def season_calls(season, count, placed):
    """A season in batches of a thousand at most, and how many transitions each of its calls holds."""
    numbers = range(1, count + 1)
    calls, seq = [(OpenSeason(season, b"r" * 32, count), 0)], 1

    def add(make, rows):
        nonlocal seq
        for at in range(0, len(rows), 1000):
            calls.append((make(seq, tuple(rows[at : at + 1000])), len(rows[at : at + 1000])))
            seq += 1

    add(lambda seq, rows: Submit(season, seq, rows), commitments(count))
    add(lambda seq, rows: Record(season, seq, rows), [step(n, S.ELIGIBLE) for n in numbers])
    calls.append((Commit(season, seq, Topic.INPUTS, sha256(b"inputs").digest()), 0))
    seq += 1
    decided = [step(n, S.ALLOCATED, n) if n <= placed else step(n, S.WAITLISTED) for n in numbers]
    add(lambda seq, rows: Record(season, seq, rows), decided)
    add(lambda seq, rows: Record(season, seq, rows), [step(n, S.CONFIRMED) for n in numbers[:placed]])
    return calls


def measured(bench, batches):
    """Gas by name: calls that stand alone, and batches of so many."""
    found = {}
    for which, count in enumerate(batches):
        calls = season_calls(SeasonNo(100 + which), count, count)
        mined = bench.ledger.send(bench.ledger.sign([call for call, _ in calls]))
        for place, name in ((1, "submit"), (2, "screen"), (4, "allocate"), (5, "later status")):
            found[f"{name}, batch of {count}"] = mined[place].gas_used
        found["open a season"], found["commit"] = mined[0].gas_used, mined[3].gas_used

    def one(name, key, function, *arguments):
        receipt = bench.send(key, function, *arguments)
        assert receipt["status"] == 1
        found[name] = receipt["gasUsed"]

    one("close a season", ADMIN, "close_season", 100, 6)
    one("pause", PAUSER, "set_paused", True)
    one("end a pause", PAUSER, "set_paused", False)
    one("change rights", ADMIN, "grant", bench.keyring.address(CLERK), RIGHTS[DESK])
    one("propose an administrator", ADMIN, "propose_admin", bench.keyring.address(DESK))
    one("accept the administration", DESK, "accept_admin")
    (receipt,) = bench.node.submit([bench._signed(ADMIN, {"data": artifact().bytecode})])
    found["deploy"] = receipt["gasUsed"]
    return found


def test_no_call_costs_more_than_it_did(bench):
    batches = BATCHES if bench.node.kind == "anvil" else BATCHES[:3]
    found = measured(bench, batches)
    if os.environ.get("FAIRALLOC_GAS") == "update" and batches == BATCHES:
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n")
    kept = json.loads(SNAPSHOT.read_text())
    assert found.keys() == {name for name in kept if "1000" not in name or batches == BATCHES}
    worse = {name: (kept[name], gas) for name, gas in found.items() if gas > kept[name] * (1 + TOLERANCE)}
    better = {name: (kept[name], gas) for name, gas in found.items() if gas < kept[name] * (1 - TOLERANCE)}
    assert not worse, f"costs more gas than in {SNAPSHOT.name} (kept, found): {worse}"
    assert not better, f"costs less gas: write {SNAPSHOT.name} anew, as this file says (kept, found): {better}"


def test_a_season_costs_what_was_promised_on_average(bench):
    count = 2000 if bench.node.kind == "anvil" else 400
    calls = season_calls(SeasonNo(1), count, count * 3 // 4)
    mined = bench.ledger.send(bench.ledger.sign([call for call, _ in calls]))
    transitions = sum(held for _, held in calls)
    assert transitions == count * 15 // 4
    assert sum(call.gas_used for call in mined) / transitions <= PER_TRANSITION
