"""The contract on a real node: what it must allow, and everything that it must refuse."""

from __future__ import annotations

import json
import re

import pytest
import vyper

from chain.client import LedgerClient
from chain.contract.artifact import artifact
from chain.contract.build import ARTIFACT, SOURCE, compiled, generated_source
from chain.keyring import ADMIN, ALLOCATOR, CLERK, DESK, KEY_NAMES, PAUSER, REGISTRAR
from fairalloc.errors import ChainUnavailableError, StateConflictError
from fairalloc.ledger import NOBODY, OpenSeason, Record, SeasonNo, Submit
from fairalloc.status import HOLDS_SITE, TRANSITIONS, Role, Status
from tests.chain_bench import SITES, Bench, step, words

ROLE_OF_KEY = {REGISTRAR: Role.REGISTRAR, CLERK: Role.CLERK, ALLOCATOR: Role.ALLOCATOR, DESK: Role.DESK}
S = Status
# One application for each status, by the shortest way there.
WAYS = {
    S.SUBMITTED: (),
    S.ELIGIBLE: (S.ELIGIBLE,),
    S.REJECTED: (S.REJECTED,),
    S.ALLOCATED: (S.ELIGIBLE, S.ALLOCATED),
    S.WAITLISTED: (S.ELIGIBLE, S.WAITLISTED),
    S.CONFIRMED: (S.ELIGIBLE, S.ALLOCATED, S.CONFIRMED),
    S.DECLINED: (S.ELIGIBLE, S.ALLOCATED, S.DECLINED),
    S.EXPIRED: (S.ELIGIBLE, S.ALLOCATED, S.EXPIRED),
    S.ATTENDED: (S.ELIGIBLE, S.ALLOCATED, S.CONFIRMED, S.ATTENDED),
    S.NO_SHOW: (S.ELIGIBLE, S.ALLOCATED, S.CONFIRMED, S.NO_SHOW),
    S.REVOKED: (S.ELIGIBLE, S.ALLOCATED, S.CONFIRMED, S.REVOKED),
    S.APPEALED: (S.REJECTED, S.APPEALED),
    S.CLOSED: (S.ELIGIBLE, S.WAITLISTED, S.CLOSED),
    S.WITHDRAWN: (S.WITHDRAWN,),
}


def key_for(before, after):
    roles = TRANSITIONS[before, after]
    return next(name for name, role in ROLE_OF_KEY.items() if role & roles)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    made = Bench(tmp_path_factory.mktemp("contract"))
    yield made
    made.node.close()


@pytest.fixture(scope="module")
def zoo(bench):
    """Season 1: application n has status n."""
    bench.open(1, len(WAYS))
    for number, (status, way) in enumerate(WAYS.items(), start=1):
        assert int(status) == number
        before = S.SUBMITTED
        for after in way:
            site = number if after == S.ALLOCATED else 0
            assert bench.record(key_for(before, after), 1, step(number, after, site)) == 1
            before = after
    return bench


def test_the_artifact_is_what_the_source_compiles_to():
    source = SOURCE.read_text()
    assert generated_source(source) == source
    assert json.loads(ARTIFACT.read_text()) == compiled(source)


@pytest.mark.parametrize("key", KEY_NAMES)
def test_the_whole_table_for_every_key(zoo, key):
    """16 x 16 cells: exactly the transitions of the status machine, for exactly the roles that it names."""
    role, seq = ROLE_OF_KEY.get(key, Role(0)), zoo.seq(1)
    for before in range(16):
        number = before or 100  # application 100 was never submitted: its status is 0
        for after in range(16):
            legal = bool(TRANSITIONS.get((before, after), Role(0)) & role) and before != 0
            gives = after in HOLDS_SITE and before not in HOLDS_SITE
            said = zoo.try_record(key, 1, step(number, after, 30 if gives else 0), seq=seq)
            assert (said is None) == legal, f"{before} -> {after} with {key}: {said}"


@pytest.fixture(scope="module")
def fresh(bench):
    """Season 2: sixteen eligible applications, nothing given yet."""
    bench.open(2, 16)
    assert bench.record(CLERK, 2, *(step(n, S.ELIGIBLE) for n in range(1, 17)))
    return bench


@pytest.mark.parametrize(
    ("steps", "words_"),
    [
        ([step(1, S.ALLOCATED, 5), step(2, S.ALLOCATED, 5)], "site taken"),
        ([step(1, S.ALLOCATED, 5, 3), step(2, S.ALLOCATED, 7)], "site taken"),
        ([step(1, S.ALLOCATED, 5), step(1, S.ALLOCATED, 6)], "illegal transition"),
        ([step(1, S.ALLOCATED, SITES + 1)], "bad site"),
        ([step(1, S.ALLOCATED, SITES, 2)], "bad site"),
        ([step(1, S.ALLOCATED, 0, 1)], "bad site"),
        ([step(1, S.ALLOCATED, 3, 0)], "bad site"),
        ([step(1, S.WAITLISTED, 3)], "site not expected"),
        ([step(17, S.WAITLISTED)], "unknown application"),
        ([], "empty"),
    ],
)
def test_what_a_batch_must_not_hold(fresh, steps, words_):
    assert fresh.try_record(ALLOCATOR, 2, *steps) == words_


def test_padding_is_at_the_end_and_nowhere_else(fresh):
    (word,) = words(step(1, S.WAITLISTED), step(2, S.WAITLISTED))
    seq = fresh.seq(2)
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [word]) is None
    gap = (word >> 192 << 192) | ((word >> 128) & (2**64 - 1)) << 64
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [gap]) == "bad padding"
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [word >> 64]) == "empty word"
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [word, 0]) == "empty word"
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [word | 1]) == "bad padding"


def test_only_the_next_call_is_taken(fresh):
    seq = fresh.seq(2)
    for wrong in (0, seq - 1, seq + 1, 2**64):
        assert fresh.try_(ALLOCATOR, "record", 2, wrong, words(step(1, S.WAITLISTED))) == "out of sequence"
        assert fresh.try_(ALLOCATOR, "commit", 2, wrong, 2, b"d" * 32) == "out of sequence"
        assert fresh.try_(REGISTRAR, "submit", 2, wrong, [b"c" * 32]) == "out of sequence"


def test_who_may_do_what_else(fresh):
    """The rights that are no transition: each for exactly one key."""
    seq = fresh.seq(2)
    calls = {
        REGISTRAR: (("open_season", 9, b"r" * 32, 5), ("submit", 2, seq, [b"c" * 32])),
        ALLOCATOR: (("commit", 2, seq, 2, b"d" * 32),),
        PAUSER: (("set_paused", True), ("set_paused", False)),
        ADMIN: (
            ("close_season", 2, seq),
            ("grant", fresh.keyring.address(DESK), 1 << 18),
            ("propose_admin", fresh.keyring.address(DESK)),
        ),
    }
    for owner, owned in calls.items():
        for call in owned:
            for key in KEY_NAMES:
                assert (fresh.try_(key, *call) is None) == (key == owner), (key, call)


def test_only_what_the_table_has_can_be_granted(fresh):
    legal = {16 * before + after for before, after in TRANSITIONS}
    for bit in range(256):
        said = fresh.try_(ADMIN, "grant", fresh.keyring.address(DESK), 1 << bit)
        assert said == (None if bit in legal | {0, 16, 32, 48} else "illegal mask"), bit


def test_all_rights_together_reach_no_further_than_the_table(zoo):
    """Neither the administrator nor the cells (n, 0), which carry other rights, can take a status back."""
    legal = sum(1 << (16 * before + after) for before, after in TRANSITIONS)
    assert zoo.write(ADMIN, "grant", zoo.keyring.address(ADMIN), legal | 1 | 1 << 16 | 1 << 32 | 1 << 48)
    seq = zoo.seq(1)
    for before in Status:
        for after in range(16):
            gives = after in HOLDS_SITE and before not in HOLDS_SITE
            said = zoo.try_record(ADMIN, 1, step(before, after, 30 if gives else 0), seq=seq)
            assert said == (None if (before, after) in TRANSITIONS else "illegal transition"), (before, after)
    assert zoo.write(ADMIN, "grant", zoo.keyring.address(ADMIN), 1 << 32)


def test_everything_is_documented():
    """NatSpec of every external function, each parameter and each value returned; words before every event."""
    source = SOURCE.read_text()
    found = vyper.compile_code(source, output_formats=["userdoc", "devdoc"])
    abi = artifact().abi
    getters = {"admin", "proposed_admin", "rights"}
    functions = [entry for entry in abi if entry["type"] == "function" and entry["name"] not in getters]
    assert len(functions) > 10
    for function in functions:
        kinds = ",".join(each["type"] for each in function["inputs"])
        signature = f"{function['name']}({kinds})"
        assert found["userdoc"]["methods"][signature]["notice"], signature
        told = found["devdoc"]["methods"].get(signature, {})
        assert set(told.get("params", {})) == {each["name"] for each in function["inputs"]}, signature
        assert len(told.get("returns", {})) == len(function["outputs"]), signature
    for event in (entry["name"] for entry in abi if entry["type"] == "event"):
        assert re.search(rf"^# [^\n]+\nevent {event}:$", source, re.MULTILINE), event


def test_a_seasons_state_is_read_in_a_few_calls(zoo):
    """The words hold what the single views say, and where nothing is they are zero."""
    lanes = [word >> (32 * place) & (2**32 - 1) for word in zoo.view("standings", 1, 0, 3) for place in range(8)]
    for number, lane in enumerate(lanes, start=1):
        assert [lane & 15, lane >> 4 & 15, lane >> 8] == zoo.view("application_state", 1, number)
    assert [lane & 15 for lane in lanes] == [*range(1, 15), *[0] * 10]
    (word,) = zoo.view("sites_taken", 1, 0, 1)
    assert {site for site in range(256) if word >> site & 1} == {
        number for number in range(1, 15) if zoo.view("site_taken", 1, number)
    }
    assert zoo.view("standings", 1, 1, 1) == zoo.view("standings", 1, 0, 2)[1:]
    assert zoo.view("sites_taken", 1, 0, 1024)[1:] == [0] * 1023
    assert zoo.view("standings", 1, 2**24 - 1, 0) == []
    for view in ("standings", "sites_taken"):
        # Beyond a season's last word the next season's first would follow.
        for first, count in ((0, 1025), (2**24 - 1, 1), (2**256 - 1, 2), (2**32, 1)):
            assert zoo.try_(DESK, view, 1, first, count) == "bad count", (view, first, count)


def test_a_season_opens_once_and_counts_its_sites(fresh):
    assert fresh.try_(REGISTRAR, "open_season", 2, b"r" * 32, 5) == "already open"
    assert fresh.try_(REGISTRAR, "open_season", 3, b"r" * 32, 2**24) == "too many sites"
    assert fresh.try_(REGISTRAR, "submit", 77, 1, [b"c" * 32]) == "not open"
    assert fresh.try_(ALLOCATOR, "commit", 2, fresh.seq(2), 0, b"d" * 32) == "no topic"


def test_nothing_is_decided_before_the_inputs_are_fixed(bench):
    bench.open(4, 3, inputs=False)
    assert bench.record(CLERK, 4, step(1, S.ELIGIBLE), step(2, S.ELIGIBLE))
    assert bench.try_record(ALLOCATOR, 4, step(1, S.ALLOCATED, 1)) == "illegal transition"
    assert bench.try_record(ALLOCATOR, 4, step(2, S.WAITLISTED)) == "illegal transition"
    assert bench.write(ALLOCATOR, "commit", 4, bench.seq(4), 1, b"i" * 32)
    assert bench.try_record(ALLOCATOR, 4, step(1, S.ALLOCATED, 1), step(2, S.WAITLISTED)) is None


def test_a_freed_site_can_be_given_again(bench):
    bench.open(5, 2)
    assert bench.record(CLERK, 5, step(1, S.ELIGIBLE), step(2, S.ELIGIBLE))
    assert bench.record(ALLOCATOR, 5, step(1, S.ALLOCATED, 7, 3))
    assert [bench.contract.functions.site_taken(5, n).call() for n in range(6, 11)] == [False, True, True, True, False]
    assert bench.contract.functions.application_state(5, 1).call() == [S.ALLOCATED, 3, 7]
    assert bench.try_record(ALLOCATOR, 5, step(2, S.ALLOCATED, 9)) == "site taken"
    assert bench.record(DESK, 5, step(1, S.DECLINED))
    assert not any(bench.contract.functions.site_taken(5, n).call() for n in range(6, 11))
    assert bench.contract.functions.application_state(5, 1).call() == [S.DECLINED, 0, 0]
    assert bench.record(ALLOCATOR, 5, step(2, S.ALLOCATED, 9))


def test_all_of_a_batch_or_nothing(bench):
    bench.open(6, 10)
    before = bench.contract.functions.season_state(6).call()
    assert bench.record(CLERK, 6, *(step(n, S.ELIGIBLE) for n in range(1, 11)), step(3, S.EXPIRED)) == 0
    assert bench.contract.functions.season_state(6).call() == before
    assert bench.contract.functions.application_state(6, 1).call() == [S.SUBMITTED, 0, 0]


def test_paused_and_closed_mean_stop(bench):
    bench.open(7, 2)
    seq = bench.seq(7)
    assert bench.write(PAUSER, "set_paused", True)
    assert bench.contract.functions.paused().call()
    for key, *call in (
        (REGISTRAR, "open_season", 8, b"r" * 32, 5),
        (REGISTRAR, "submit", 7, seq, [b"c" * 32]),
        (CLERK, "record", 7, seq, words(step(1, S.ELIGIBLE))),
        (ALLOCATOR, "commit", 7, seq, 2, b"d" * 32),
        (ADMIN, "close_season", 7, seq),
    ):
        assert bench.try_(key, *call) == "paused"
    assert bench.write(PAUSER, "set_paused", False)
    assert not bench.contract.functions.paused().call()
    assert bench.try_(CLERK, "close_season", 7, seq) == "no right"
    assert bench.write(ADMIN, "close_season", 7, seq)
    assert bench.try_record(CLERK, 7, step(1, S.ELIGIBLE)) == "closed"


def test_the_administration_changes_hands_in_two_steps(tmp_path):
    bench = Bench(tmp_path)
    try:
        assert bench.try_(DESK, "accept_admin") == "not proposed"
        assert bench.view("administration_state")[2:] == [bench.keyring.address(ADMIN), NOBODY, False]
        assert bench.try_(DESK, "propose_admin", bench.keyring.address(DESK)) == "not admin"
        assert bench.write(ADMIN, "propose_admin", bench.keyring.address(DESK))
        assert bench.contract.functions.admin().call() == bench.keyring.address(ADMIN)
        assert bench.view("administration_state")[2:4] == [bench.keyring.address(ADMIN), bench.keyring.address(DESK)]
        assert bench.try_(CLERK, "accept_admin") == "not proposed"
        assert bench.write(DESK, "accept_admin")
        assert bench.contract.functions.admin().call() == bench.keyring.address(DESK)
        assert bench.try_(ADMIN, "grant", bench.keyring.address(ADMIN), 0) == "not admin"
        assert bench.try_(DESK, "accept_admin") == "not proposed"
    finally:
        bench.node.close()


def test_the_client_repeats_nothing(bench):
    ledger, season = bench.ledger, SeasonNo(60)
    signed = ledger.sign([OpenSeason(season, b"r" * 32, 5), Submit(season, 1, (b"a" * 32,))])
    first = ledger.send(signed)
    assert ledger.send(signed) == first
    assert ledger.season_head(season).next_seq == 2
    assert ledger.season_head(SeasonNo(61)) is None


def test_a_refused_call_is_an_error_that_says_why(bench):
    ledger, season = bench.ledger, SeasonNo(62)
    ledger.send(ledger.sign([OpenSeason(season, b"r" * 32, 5)]))
    with pytest.raises(ChainUnavailableError, match="out of sequence"):
        ledger.send(ledger.sign([Submit(season, 3, (b"a" * 32,))]))
    with pytest.raises(StateConflictError, match="mixes"):
        ledger.sign([Record(season, 1, (step(1, S.ELIGIBLE), step(2, S.DECLINED)))])
    with pytest.raises(StateConflictError, match="no keys"):
        LedgerClient(bench.node, bench.address).sign([Submit(season, 1, (b"a" * 32,))])
