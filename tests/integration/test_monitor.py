"""The monitor before real nodes: honest ones, ones that were begun again or cut short, and ones that lie."""

from __future__ import annotations

import json
import shutil

import pytest

from chain.contract.artifact import artifact
from chain.keyring import ADMIN, DESK
from chain.node.anvil_process import find_anvil
from chain.watching import Watched
from fairalloc.errors import ChainUnavailableError
from fairalloc.instants import Instant
from fairalloc.ledger import SeasonNo
from fairalloc.monitor import Expected, Level, Monitor, Record
from fairalloc.monitor.record import read_record, write_whole
from tests.watching import RULES, SEASON, START, City, story

CODE = "0x" + artifact().code_hash.hex()
NOW = Instant((START + 1000) * 10**9)


@pytest.fixture
def city(tmp_path):
    return City(tmp_path / "city", tmp_path / "keys")


def twin(tmp_path, name="twin", start=START):
    """Another chain of the same city: the same keys, genesis and contract."""
    return City(tmp_path / name, tmp_path / "keys", start)


def monitor(city, record=None, **expected):
    return Monitor(record or Record(city.address.lower()), Expected(CODE, **expected))


def look(judge, server, name="city", now=NOW, watched=None):
    """Alerts, and what else was told, of one look."""
    watched = watched or Watched(server.url, judge.record.contract)
    told = judge.observe(name, watched.look(judge.blocks()), now)
    alerts = [alert.finding for alert in told if alert.level is Level.ALERT]
    return alerts, [alert for alert in told if alert.level is not Level.ALERT]


def kept(record):
    """As after a restart."""
    return Record.from_json(json.loads(json.dumps(record.to_json())))


def codes(findings):
    return [finding.code for finding in findings]


def test_what_is_new_is_replayed_and_every_head_is_kept(city):
    judge, calls = monitor(city), story()
    with city.serving() as server:
        watched = Watched(server.url, city.address)
        assert look(judge, server, watched=watched)[0] == []
        contract = server.gateway.node.w3.eth.contract(
            address=server.gateway.node.w3.to_checksum_address(city.address), abi=artifact().abi
        )
        heads = []
        for call in calls:
            city.write(server, call)
            heads.append(contract.functions.season_state(SEASON).call()[1])
            assert look(judge, server, watched=watched)[0] == []
            assert judge.record.seasons[SEASON] == heads
        assert look(judge, server, watched=Watched(server.url, city.address))[0] == []  # all at once, the same
        again = monitor(city, kept(judge.record))
        assert look(again, server) == ([], [])  # after a restart: nothing is told twice
        assert again.record == judge.record


def test_only_what_is_new_is_asked_for(city):
    judge, asked = monitor(city), []
    with city.serving(eth_getLogs=lambda logs: (asked.append(len(logs)), logs)[1]) as server:
        city.write(server, *story()[:3])
        watched = Watched(server.url, city.address)
        look(judge, server, watched=watched)
        look(judge, server, watched=watched)
        city.write(server, story()[3])
        look(judge, server, watched=watched)
        assert asked[1:] == [1]
        assert asked[0] > 3


def test_two_faces_are_seen_at_once_or_through_another_monitors_heads(city, tmp_path):
    other = twin(tmp_path)
    with city.serving() as here, other.serving() as there:
        city.write(here, *story(b"a"))
        other.write(there, *story(b"b")[:6])
        judge = monitor(city)
        assert look(judge, here, "one")[0] == []
        before = [*judge.record.seasons[SEASON]]
        (alert,) = look(judge, there, "two")[0]
        assert (alert.code, alert.place) == ("monitor.split-view", "season 1, call 4")
        assert "the last common call is 3" in alert.words
        assert judge.record.seasons[SEASON] == before
        assert look(judge, there, "two")[0] == []  # told once
        # A second organisation asked the other node only.
        second = monitor(city)
        assert look(second, there)[0] == []
        write_whole(tmp_path / "heads.json", second.record.heads_json())
    exchanged = read_record(tmp_path / "heads.json")
    assert not exchanged.sources
    (told,) = monitor(city, kept(judge.record)).compare("heads.json", exchanged, NOW)
    assert (told.level, told.finding.code, told.finding.place) == (
        Level.ALERT,
        "monitor.split-view",
        "season 1, call 4",
    )
    assert monitor(city, kept(judge.record)).compare("heads.json", kept(judge.record), NOW) == []


def test_the_same_calls_in_other_blocks_are_two_faces_too(city, tmp_path):
    other = twin(tmp_path, start=START + 100)
    with city.serving() as here, other.serving() as there:
        for one, server in ((city, here), (other, there)):
            one.write(server, *story())
        judge = monitor(city)
        assert look(judge, here, "one")[0] == []
        (alert,) = look(judge, there, "two")[0]
        assert alert.code == "monitor.split-view"
        assert alert.place.startswith("block ")


def test_a_node_that_lags_behind_is_no_alert(city, tmp_path):
    with city.serving() as server:
        city.write(server, *story()[:4])
    shutil.copytree(city.folder, tmp_path / "lagging")
    lagging = City(tmp_path / "lagging", tmp_path / "keys")
    with city.serving() as here, lagging.serving() as there:
        city.write(here, *story()[4:])
        judge = monitor(city)
        assert look(judge, here, "one")[0] == []
        assert look(judge, there, "two")[0] == []
        lagging.write(there, *story()[4:])
        assert look(judge, there, "two")[0] == []


def test_a_history_that_was_rewritten_is_named_with_its_last_common_call(city, tmp_path):
    other, judge = twin(tmp_path), monitor(city)
    with city.serving() as server:
        city.write(server, *story(b"a"))
        assert look(judge, server)[0] == []
    heads = [*judge.record.seasons[SEASON]]
    judge = monitor(city, kept(judge.record))
    with other.serving() as server:
        other.write(server, *story(b"b"))
        (alert,) = look(judge, server)[0]
        assert (alert.code, alert.place) == ("monitor.rewritten", "season 1, call 4")
        assert "the last common call is 3" in alert.words
        assert heads[4].hex() in alert.words
        assert judge.record.seasons[SEASON] == heads  # the evidence stays
        again = monitor(city, kept(judge.record))
        assert codes(look(again, server)[0]) == ["monitor.rewritten"]  # and is found after every restart
        assert [each["code"] for each in judge.record.alerts] == ["monitor.rewritten"]


def test_times_alone_that_were_rewritten_show(city, tmp_path):
    other, judge = twin(tmp_path, start=START + 3600), monitor(city)
    for one in (city, other):
        with one.serving() as server:
            one.write(server, *story())
            alerts = look(judge, server)[0]
    (alert,) = alerts
    assert alert.code == "monitor.rewritten"
    assert alert.place.startswith("block ")


def test_a_history_that_was_cut_short_is_named_with_its_last_call(city, tmp_path):
    with city.serving() as server:
        city.write(server, *story()[:4])
    shutil.copytree(city.folder, tmp_path / "short")
    short, judge = City(tmp_path / "short", tmp_path / "keys"), monitor(city)
    with city.serving() as server:
        city.write(server, *story()[4:])
        assert look(judge, server)[0] == []
    with short.serving() as server:
        (alert,) = look(judge, server)[0]
        assert (alert.code, alert.place) == ("monitor.truncated", "season 1")
        assert "7 calls were verified, the chain has 4 now; the last common call is 3" in alert.words
        # It goes on another way: what was cut off and replaced is a rewriting.
        short.write(server, *story(b"b")[4:])
        assert codes(look(judge, server)[0]) == ["monitor.rewritten"]
    with city.serving() as server:
        assert look(judge, server)[0] == []  # the true chain is believed again


def test_blocks_cut_off_that_held_no_call_show(city, tmp_path):
    with city.serving() as server:
        city.write(server, *story())
        shutil.copytree(city.folder, tmp_path / "short")
        city.act(server, ADMIN, "grant", city.keyring.address(DESK), 0)
        judge = monitor(city)
        assert look(judge, server)[0] == []
    with City(tmp_path / "short", tmp_path / "keys").serving() as server:
        assert codes(look(judge, server)[0]) == ["monitor.truncated"]


def test_a_node_that_hides_a_log_is_found(city):
    hidden = {"place": 0}

    def without_one(logs):
        place = len(logs) - hidden["place"]
        return logs[:place] + logs[place + 1 :]

    with city.serving(eth_getLogs=without_one) as server:
        city.write(server, *story())
        for hidden["place"] in (1, 2, 4):
            judge = monitor(city)
            alerts = look(judge, server)[0]
            assert alerts
            assert all(code.startswith(("history.", "state.")) for code in codes(alerts))
            assert all(alert.place.startswith("season 1") for alert in alerts)
            assert not judge.record.seasons.get(SEASON)  # nothing of it counts as verified


def test_a_node_that_hides_a_whole_season_is_found(city):
    with city.serving() as server:
        city.write(server, *story())
        judge = monitor(city)
        assert look(judge, server)[0] == []
    with city.serving(eth_getLogs=lambda _: []) as server:
        assert codes(look(judge, server)[0]) == ["monitor.truncated"]
        fresh = monitor(city)
        alerts = look(fresh, server, watched=Watched(server.url, city.address, SEASON))[0]
        assert {code.partition(".")[0] for code in codes(alerts)} <= {"history", "state"}
        assert alerts  # nothing in the logs tells, but the contract does


@pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
def test_storage_that_was_overwritten_without_a_transaction_is_found(city):
    judge = monitor(city)
    with city.serving() as server:
        city.write(server, *story())
        watched = Watched(server.url, city.address)
        assert look(judge, server, watched=watched)[0] == []
        # The administrator's address is the contract's first word.
        engine = server.gateway.node._engine
        assert "error" not in engine.ask("anvil_setStorageAt", [city.address, "0x0", "0x" + "00" * 31 + "07"])
        alerts = look(judge, server, watched=watched)[0]
        assert codes(alerts) == ["state.rights"]


def test_a_log_that_the_contract_does_not_write_is_found(city):
    def foreign(logs):
        logs[-1]["topics"] = ["0x" + "ab" * 32]
        return logs

    with city.serving() as server:
        city.write(server, *story())
    with city.serving(eth_getLogs=foreign) as server:
        alerts = look(monitor(city), server)[0]
        assert any("does not write" in alert.words for alert in alerts)


def test_other_code_at_the_address_is_found(city):
    with city.serving() as server:
        city.write(server, *story())
        judge = monitor(city)
        assert look(judge, server)[0] == []
    with city.serving(eth_getCode=lambda code: code + "00") as server:
        for each in (judge, monitor(city)):
            assert codes(look(each, server)[0]) == ["monitor.code"]


def test_another_chain_is_found(city, tmp_path):
    judge = monitor(city)
    with city.serving() as server:
        city.write(server, *story())
        assert look(judge, server)[0] == []
        genesis = judge.record.genesis_hash
        assert look(monitor(city, chain_id=31_991, genesis_hash=genesis), server)[0] == []
        assert codes(look(monitor(city, chain_id=5), server)[0]) == ["monitor.chain"]
        assert codes(look(monitor(city, genesis_hash="0x" + "11" * 32), server)[0]) == ["monitor.chain"]
    with city.serving(eth_chainId=lambda _: "0x5") as server:
        assert "monitor.chain" in codes(look(judge, server)[0])
    # Another first block (anvil's tells no genesis from another whose balances differ; the calls do).
    with City(tmp_path / "else", tmp_path / "other keys", engine="py-evm").serving() as server:
        assert "monitor.chain" in codes(look(monitor(city, kept(judge.record)), server)[0])


def test_what_the_administration_does_is_told_once_and_is_no_alert(city):
    judge = monitor(city)
    with city.serving() as server:
        watched = Watched(server.url, city.address)
        alerts, told = look(judge, server, watched=watched)
        assert (alerts, {alert.level for alert in told}) == ([], {Level.NOTICE})
        city.act(server, ADMIN, "grant", city.keyring.address(DESK), 0)
        city.act(server, ADMIN, "propose_admin", city.keyring.address(DESK))
        alerts, told = look(judge, server, watched=watched)
        assert alerts == []
        words = [alert.finding.words for alert in told]
        assert ["RightsSet" in words[0], "mask=0x0" in words[0], "AdminProposed" in words[1]] == [True] * 3
        assert city.keyring.address(DESK).lower() in words[1].lower()
        assert look(judge, server, watched=watched) == ([], [])


def test_a_late_outcome_is_an_alert_from_the_deadline_on(city):
    due = Instant((START + 500) * 10**9)
    judge = monitor(city, season_no=SEASON, recorded_by=due)
    with city.serving() as server:
        city.write(server, *story()[:5])
        assert look(judge, server, now=due)[0] == []
        alerts = look(judge, server, now=Instant(due + 1))[0]
        assert codes(alerts) == ["monitor.late"]
        assert look(judge, server, now=NOW)[0] == []  # told once
        city.write(server, *story()[5:])
        assert look(monitor(city, season_no=SEASON, recorded_by=due), server)[0] == []
    early = Instant((START - 5) * 10**9)
    with city.serving() as server:
        assert codes(look(monitor(city, season_no=SEASON, recorded_by=early), server)[0]) == ["time.late"]


def test_a_season_that_was_never_opened_is_late_too(city):
    due = Instant((START + 500) * 10**9)
    with city.serving() as server:
        judge = monitor(city, season_no=SeasonNo(9), recorded_by=due)
        assert codes(look(judge, server, watched=Watched(server.url, city.address, SeasonNo(9)))[0]) == ["monitor.late"]


def test_rules_that_are_not_the_published_ones_are_found(city):
    with city.serving() as server:
        city.write(server, *story())
        assert look(monitor(city, season_no=SEASON, rules_hash=RULES), server)[0] == []
        assert codes(look(monitor(city, season_no=SEASON, rules_hash=b"x" * 32), server)[0]) == ["commit.rules"]


def test_another_monitor_that_stays_ahead_is_noted(city):
    with city.serving() as server:
        city.write(server, *story()[:4])
        judge = monitor(city)
        look(judge, server)
        city.write(server, *story()[4:])
        ahead = monitor(city)
        look(ahead, server)
    assert judge.compare("other", ahead.record, NOW) == []
    (told,) = judge.compare("other", ahead.record, NOW)
    assert (told.level, told.finding.code) == (Level.NOTE, "monitor.behind")
    assert judge.compare("other", ahead.record, NOW) == []


@pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
def test_only_blocks_that_were_not_final_may_be_replaced(city):
    with city.serving() as server:
        engine, clock = server.gateway.node._engine, iter(range(START + 100, START + 10**6, 7))

        def mine(count):
            for _ in range(count):
                engine.ask("evm_mine", [{"timestamp": next(clock)}])

        judge = monitor(city)
        deep = engine.ask("evm_snapshot", [])["result"]
        city.write(server, *story()[:3])
        mine(3)
        watched = Watched(server.url, city.address, finality=3)
        assert look(judge, server, watched=watched)[0] == []
        assert len(judge.record.seasons[SEASON]) == 3
        verified = judge.record.sources["city"].anchor
        shallow = engine.ask("evm_snapshot", [])["result"]
        mine(2)
        assert look(judge, server, watched=watched) == ([], [])
        engine.ask("evm_revert", [shallow])
        mine(3)
        alerts, (note,) = look(judge, server, watched=watched)
        assert (alerts, note.level, note.finding.code) == ([], Level.NOTE, "monitor.reorg")
        assert judge.record.sources["city"].anchor.block == verified.block + 3
        engine.ask("evm_revert", [deep])
        mine(20)
        (alert,) = look(judge, server, watched=watched)[0]
        assert (alert.code, alert.place) == ("monitor.truncated", "season 1")


def test_what_no_node_answers_is_waited_for(city):
    for lie in ({"eth_getLogs": lambda _: [{}]}, {"eth_blockNumber": lambda _: None}, {"eth_getCode": lambda _: 5}):
        with city.serving(**lie) as server, pytest.raises(ChainUnavailableError, match="cannot be read"):
            Watched(server.url, city.address).look()
    with pytest.raises(ChainUnavailableError):
        Watched(server.url, city.address).look()


def test_one_season_may_be_looked_at_alone(city):
    judge, second = monitor(city), SeasonNo(2)
    with city.serving() as server:
        city.write(server, *story()[:3], *story(season=second))
        assert look(judge, server)[0] == []
        assert {number: len(heads) for number, heads in judge.record.seasons.items()} == {SEASON: 3, second: 7}
        city.write(server, *story()[3:])
        assert look(judge, server, watched=Watched(server.url, city.address, SEASON))[0] == []
        assert len(judge.record.seasons[SEASON]) == 7
        assert look(judge, server)[0] == []
