"""The audit of the lottery: one draw a freeze, in order, of the value named, with its signature and its seed."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from fairalloc.audit.draws import Draws, draw_findings, draw_remarks, recorded_findings
from fairalloc.bundle.statements import draw_statement, frozen_again
from fairalloc.canonical import json_bytes, sha256
from fairalloc.ledger import TRANSITION_DTYPE, History, RecordedCommit, SeasonNo, Topic
from fairalloc.rules import parse_rules
from tests.beacons import quicknet
from tests.small_seasons import BOTH_GOALS, RULES

TEXT = (
    RULES.replace("{goals}", BOTH_GOALS)
    .replace("opens = 2026-02-01", "opens = 2023-08-01")
    .replace("closes = 2026-03-01", "closes = 2023-08-20")
)
"""A campaign that closed three days before quicknet's rounds 1000 and 1001."""
ROUND_1000 = 1_692_806_364
COMES, FROZEN = ROUND_1000, ROUND_1000 - 600
FIRST_DECISION = 9


def rules(lottery):
    told = 'id = "lottery"\nsource = "test"\nvalue = "0"\n'
    assert told in TEXT
    return parse_rules(TEXT.replace(told, f'id = "lottery"\n{lottery}\n'))


DRAND = rules('beacon = "drand"\nround = 1000')
PUBLIC = rules('source = "the state lottery of 1 March"')
KNOWN = rules('source = "gazette"\nvalue = "No. 31"')
BLOCK = rules('beacon = "block"\nchain = "Ethereum"\nblock = 99')


def freeze(of):
    roots = {"inputs_root": "11" * 32, "rules_hash": "22" * 32, "screening_root": "33" * 32}
    return {"format": "fairalloc-freeze/1", "season": "s", "program": "p", "lottery": of.lottery.statement(), **roots}


def digest(statement):
    return sha256(json_bytes(statement))


def season(of=DRAND):
    """A season that drew once, as it should be."""
    frozen = freeze(of)
    beacon = quicknet(1000) if of is DRAND else None
    told = {"source": "7 14 23", "block": "0x" + "ab" * 32}[of.lottery.NAMES] if beacon is None else beacon.value
    return {"freeze": frozen, "draw": draw_statement(frozen, of.lottery.known or told, beacon)}


def again(reason="the first round was misprinted"):
    """A season that froze for round 1000, drew, and froze again for round 1001 and drew that."""
    one = season()
    second = frozen_again(one["freeze"], "p", 2, reason, DRAND.lottery.again("1001"))
    draw = draw_statement(second, quicknet(1001).value, quicknet(1001))
    return {"freeze": [one["freeze"], second], "draw": [one["draw"], draw]}


def findings(statements, of=DRAND):
    return [(finding.code, str(finding)) for finding in draw_findings(Draws.of(of, statements))]


@pytest.mark.parametrize("of", [DRAND, PUBLIC, KNOWN, BLOCK], ids=["drand", "public", "known", "block"])
def test_a_season_that_drew_once_is_in_order(of):
    assert findings(season(of), of) == []


def test_the_seed_is_a_hash_of_the_frozen_and_the_value():
    """Worked out from the definition, so that anybody can."""
    found = season(PUBLIC)["draw"]["seed"]
    tag = b"fairalloc lottery seed v1\n"
    assert found == hashlib.sha256(tag + b"\x11" * 32 + b"\x22" * 32 + b"7 14 23").hexdigest()


def test_a_value_in_the_rules_needs_no_draw_statement_and_is_remarked():
    bare = {"freeze": freeze(KNOWN)}
    assert findings(bare, KNOWN) == []
    assert Draws.of(KNOWN, bare).value == "No. 31"
    assert any("could foresee the draw" in remark for remark in draw_remarks(Draws.of(KNOWN, bare)))
    assert not any("could foresee" in remark for remark in draw_remarks(Draws.of(DRAND, season())))


def test_drawing_again_is_in_order_and_listed():
    assert findings(again()) == []
    draws = Draws.of(DRAND, again())
    assert draws.value == quicknet(1001).value
    first, second = draw_remarks(draws)
    assert "round 1000" in first
    assert quicknet(1000).value in first
    assert "because: the first round was misprinted" in second
    assert quicknet(1001).value in second


def test_naming_the_same_source_again_is_no_second_draw():
    """Told by hand a second time, the same source could be told differently."""
    one = season(KNOWN)
    second = {**one["freeze"], "number": 2, "reason": "r", "lottery": {"beacon": "public", "source": "gazette"}}
    told = {"freeze": [one["freeze"], second], "draw": [one["draw"], draw_statement(second, "no 32", None)]}
    ((code, words),) = findings(told, KNOWN)
    assert code == "lottery.freeze"
    assert "as a freeze before it" in words


def changed(statements, change):
    copy = json.loads(json.dumps(statements))
    change(copy)
    return copy


def put(kind, **values):
    return lambda statements: statements[kind].update(values)


SIGNATURE = quicknet(1001).signature.hex()
TURNED = "b5" + quicknet(1000).signature.hex()[2:]


@pytest.mark.parametrize(
    ("of", "change", "code", "words"),
    [
        (DRAND, put("draw", signature=SIGNATURE), "lottery.signature", "signature is not that of round 1000"),
        (
            DRAND,
            put("draw", signature="b5" + quicknet(1000).signature.hex()[2:]),
            "lottery.signature",
            "signature is not that of",
        ),
        (DRAND, put("draw", value="00" * 32), "lottery.seed", "its value is"),
        (DRAND, put("draw", seed="00" * 32), "lottery.seed", "its seed is"),
        (DRAND, put("draw", previous_signature="00"), "lottery.signature", "signature is not that of"),
        (
            DRAND,
            put("draw", lottery={"beacon": "drand", "network": "quicknet", "round": 1001}),
            "lottery.seed",
            "its lottery is",
        ),
        (DRAND, put("draw", freeze="00" * 32), "lottery.order", "a draw names a freeze that is not published"),
        (
            DRAND,
            put("freeze", lottery={"beacon": "drand", "network": "default", "round": 1000}),
            "lottery.freeze",
            "no value of the",
        ),
        (DRAND, lambda statements: statements.pop("draw"), "lottery.undrawn", "has no draw"),
        (
            DRAND,
            lambda statements: statements.update(draw=[statements["draw"]] * 2),
            "lottery.twice",
            "freeze 1 is drawn twice",
        ),
        (PUBLIC, lambda statements: statements.pop("draw"), "lottery.undrawn", "has no draw"),
        (PUBLIC, put("draw", value="7, 14, 23"), "lottery.seed", "its value is"),
        (PUBLIC, put("draw", value="7 14 24"), "lottery.seed", "its seed is"),
        (KNOWN, put("draw", value="No. 32"), "lottery.seed", "its value is"),
        (DRAND, put("draw", signature="zz"), "lottery.seed", "cannot be a value of"),
        (BLOCK, put("draw", value="0x"), "lottery.seed", "cannot be a value of"),
        (BLOCK, put("draw", value="0x" + "AB" * 32), "lottery.seed", "its value is"),
    ],
)
def test_what_does_not_follow_is_a_finding(of, change, code, words):
    found = findings(changed(season(of), change), of)
    assert any(code == told and words in finding for told, finding in found), found


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda s: s["freeze"][1].pop("reason"), "lottery.freeze", "does not give its number and the reason"),
        (lambda s: s["freeze"][1].update(number=3), "lottery.freeze", "does not give its number and the reason"),
        (lambda s: s["freeze"][1].update(lottery=s["freeze"][0]["lottery"]), "lottery.freeze", "as a freeze before it"),
        (lambda s: s["draw"].pop(), "lottery.undrawn", "has no draw"),
        (lambda s: s["draw"].append(s["draw"][0]), "lottery.twice", "freeze 1 is drawn twice"),
    ],
)
def test_a_second_freeze_that_is_not_as_it_should_be_is_a_finding(change, code, words):
    found = findings(changed(again(), change))
    assert any(code == told and words in finding for told, finding in found), found


def history(*calls):
    """Commitments in the order given, from call 3 on: topic, digest, and when."""
    commits = tuple(
        RecordedCommit(seq, seq, timestamp, int(topic), fixed) for seq, (topic, fixed, timestamp) in enumerate(calls, 3)
    )
    none = np.zeros(1, dtype=np.int64)
    rows = np.zeros(0, dtype=TRANSITION_DTYPE)
    return History(SeasonNo(1), b"", 0, b"", 10, 1, 1, (), commits, rows, none, none, none, none)


def recorded(statements, *calls, of=DRAND):
    found = recorded_findings(Draws.of(of, statements), history(*calls), FIRST_DECISION)
    return [(finding.code, str(finding)) for finding in found]


ONE, TWO = season(), again()
F1, F2 = (digest(one) for one in TWO["freeze"])
D1, D2 = (digest(one) for one in TWO["draw"])
FREEZE_1, DRAW_1 = (Topic.INPUTS, F1, FROZEN), (Topic.DRAW, D1, COMES)
FREEZE_2, DRAW_2 = (Topic.INPUTS, F2, COMES + 1), (Topic.DRAW, D2, COMES + 9)


def test_the_chain_in_order_has_no_findings():
    assert recorded(ONE, FREEZE_1, DRAW_1) == []
    assert (
        recorded(ONE, (Topic.INPUTS, F1, COMES - 1), (Topic.DRAW, D1, COMES - 1)) == []
    )  # a chain's clock may be slow
    assert recorded(TWO, FREEZE_1, DRAW_1, FREEZE_2, DRAW_2) == []


@pytest.mark.parametrize(
    ("statements", "calls", "code", "words"),
    [
        (ONE, [DRAW_1, FREEZE_1], "lottery.order", "drawn for freeze 1 while the latest on chain is freeze 0"),
        (ONE, [FREEZE_1, DRAW_1, DRAW_1], "lottery.twice", "drawn for freeze 1 again"),
        (ONE, [FREEZE_1, DRAW_1, DRAW_1], "commit.count", "2 commitments to the draw statement instead of 1"),
        (
            ONE,
            [FREEZE_1, (Topic.DRAW, b"?" * 32, COMES), DRAW_1],
            "commit.digest",
            "the draw statement is not the one that the chain",
        ),
        (
            ONE,
            [FREEZE_1, DRAW_1, FREEZE_2, DRAW_2],
            "commit.count",
            "2 commitments to the freeze statement instead of 1",
        ),
        (
            ONE,
            [FREEZE_1, (Topic.DRAW, b"?" * 32, COMES)],
            "commit.digest",
            "the draw statement is not the one that the chain fixed",
        ),
        (
            ONE,
            [(Topic.INPUTS, b"?" * 32, FROZEN), DRAW_1],
            "commit.digest",
            "the freeze statement is not the one that the chain fixed (number 1",
        ),
        (ONE, [FREEZE_1], "commit.count", "0 commitments to the draw statement instead of 1"),
        (
            ONE,
            [(Topic.INPUTS, F1, COMES), DRAW_1],
            "lottery.foreseen",
            "could be known at 2023-08-23T15:59:24Z",
        ),
        (ONE, [FREEZE_1, (Topic.DRAW, D1, COMES - 61)], "lottery.early", "its value came at 2023-08-23T15:59:24Z"),
        (ONE, [*[(Topic.REGISTER, b"r", 0)] * 6, FREEZE_1, DRAW_1], "commit.late", "after call 9 decided"),
        (
            TWO,
            [FREEZE_1, FREEZE_2, DRAW_1, DRAW_2],
            "lottery.order",
            "while the latest on chain is freeze 2",
        ),
        (TWO, [FREEZE_2, DRAW_2, FREEZE_1, DRAW_1], "commit.digest", "the freeze statement is not the one"),
        (
            TWO,
            [FREEZE_1, DRAW_1, (Topic.INPUTS, F2, COMES + 3), DRAW_2],
            "lottery.foreseen",
            "freeze 2: on chain since",
        ),
    ],
)
def test_each_wrong_order_on_chain_is_a_finding(statements, calls, code, words):
    found = recorded(statements, *calls)
    assert any(code == told and words in finding for told, finding in found), found
