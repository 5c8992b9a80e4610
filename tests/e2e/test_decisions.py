"""Decisions after the allocation on one season: what is refused, what they lead to, what it costs, what is audited."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from fairalloc.acts import ActKind, read_act
from fairalloc.audit.acts import act_findings
from fairalloc.bundle.acts import ACTS, STANDINGS
from fairalloc.bundle.folder import read_bundle
from fairalloc.bundle.published import published
from fairalloc.canonical import csv_rows, sha256
from fairalloc.instants import parse_instant
from fairalloc.ledger import SiteNo
from fairalloc.reasons import Reason
from fairalloc.status import Status
from solver.verify import check_files
from tests.conftest import ROOT, run_inside

OFFERS = """
[offers]
id = "offers"
clause = "15. Offers stand until 20 March; fairs open at nine."
opens_at = "09:00+01:00"
confirm_by = 2026-03-20T18:00:00+01:00
"""
MARCH, APRIL = ("--at", "2026-03-02T12:00:00+01:00"), ("--at", "2026-04-04T10:00:00+02:00")
BOARD = ("--actor", "fairs office", "--approver", "head of fairs")


@pytest.fixture(scope="module")
def decided(tmp_path_factory):  # noqa: PLR0915 (one season from its allocation to its fairs, in order of time)
    """The sample season with every decision there is, published; and what each command answered, by a name."""
    folder = tmp_path_factory.mktemp("decided")
    shutil.copytree(ROOT / "data" / "sample", folder / "season")
    rules = (folder / "season" / "season.toml").read_text()
    # No ties, so that it is always the same who stands where, whatever the lottery says.
    rules = rules.replace('keys = ["submitted_at"]', 'keys = ["submitted_at", "registration_no"]')
    (folder / "season" / "season.toml").write_text(rules + OFFERS)
    run_inside(folder, "run", "season", "--out", "before")
    told = {}

    def does(*words, at=MARCH):
        return json.loads(run_inside(folder, *words, *at, "--json").stdout)

    def refused(name, *words, at=MARCH, code=1):
        told[name] = run_inside(folder, *words, *at, expect=code).stderr

    def listed(name, *lines):
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
        return "--file", name

    bad = listed("bad.csv", "application_id", "A000004", "N9999", "A000004", "A000064")
    refused("answers", "confirm", *bad, code=3)
    refused("waits", "confirm", *listed("waits.csv", "application_id", "A000004", "A000064"), code=3)
    coming = ("A000004", "A000005", "A000007", "A000009", "A000010", "A000011")
    does("confirm", *listed("answers.csv", "application_id", *coming))
    refused("both", "confirm", "A000004", "--file", "answers.csv", code=2)
    refused("early", "attendance", "A000004", "--came")

    refused("unreasoned", "revoke", "A000004", code=2)
    does("revoke", "A000004", "--reason", "licence withdrawn")
    told["revoked"] = run_inside(folder, "status", "A000004").stdout
    (folder / "letter.txt").write_text("the licence was renewed in February")
    does("appeal", "A000004", "--reason", "the licence is valid", "--evidence", "letter.txt")
    settle = ("settle", "A000004", "--uphold", "--reason", "it is")
    tried = does(*settle, "--dry-run")
    assert does(*settle) == {**tried, "stored": True}
    refused("settled", "settle", "A000004", "--dismiss", "--reason", "again")
    does("confirm", "A000004")
    does("correct", "A000005", "--reason", "a wrong line was read")
    does("confirm", "A000005")

    does("decline", "A000136")
    told["moved"] = does("move", "A000219", "F04-spring-A08", "--reason", "its own floods", *BOARD, "--yes")
    does("appeal", "A000136", "A000118", "A000012", "A000146", "--reason", "as in their letters")
    for name, how in {"A000136": "uphold", "A000118": "uphold", "A000012": "dismiss", "A000146": "dismiss"}.items():
        told[name] = does("settle", name, f"--{how}", "--reason", "by the letters")

    pin = ("pin", "A000282", "F11-spring-A01", "--reason", "court order")
    refused("unapproved", *pin)
    refused("approved by oneself", *pin, "--actor", "mayor", "--approver", "mayor")
    refused("unasked", *pin, *BOARD, code=2)
    refused("unsuitable", "pin", "A000282", "F01-spring-A02", "--reason", "court order", *BOARD)
    told["pinned"] = does(*pin, *BOARD, "--yes")
    refused("held", "move", "A000009", "F11-spring-A01", "--reason", "x", *BOARD)
    told["forbidden"] = does("forbid", "A000230", "--reason", "banned", *BOARD, "--yes")
    does("forbid", "A000010", "--reason", "banned", *BOARD, "--yes")

    refused("withdrawn late", "withdraw", "A000004", at=APRIL)
    columns = "application_id,came,fair,date"
    wrong = ("A000004,maybe,,", "A000005,yes,F01,", "A000007,no,,2026-08-01", "A000009,yes,,soon", "A000136,yes,,")
    refused("warden", "attendance", *listed("wrong.csv", columns, *wrong), at=APRIL, code=3)
    came = listed("warden.csv", columns, "A000004,yes,F10,2026-04-04", "A000007,no,,", "A000009,yes,F02,")
    does("attendance", *came, at=APRIL)
    refused("again", "attendance", *came, at=APRIL)
    refused("uncorrected", "attendance", "A000007", "--came", at=APRIL)
    does("attendance", "A000007", "--came", "--reason", "the warden mistook the stall", at=APRIL)
    run_inside(folder, "publish", "--out", "bundle")
    return folder, told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("answers", "bad.csv:3 [application_id]: 'N9999' is no application of this season (see the receipt)"),
        ("answers", "bad.csv:4 [application_id]: 'A000004' stands in line 2 already (remove one of the rows)"),
        ("waits", "waits.csv:3 [application_id]: 'A000064' is WAITLISTED and cannot become CONFIRMED"),
        ("both", "name applications, or a file that lists them"),
        ("early", "A000004 cannot have come yet: the fair opens at 2026-04-04T08:00:00Z"),
        ("unreasoned", "say why with --reason"),
        ("settled", "A000004 is ALLOCATED: only an appeal can be settled"),
        ("unapproved", "pin needs the approval of somebody else than fairs office"),
        ("approved by oneself", "pin needs the approval of somebody else than mayor"),
        ("unasked", "A000050 loses F11-spring-A01"),
        ("unsuitable", "site F01-spring-A02 does not take these goods"),
        ("held", "A000009 cannot stand there: "),
        ("withdrawn late", "A000004 could withdraw until the fair opened at 2026-04-04T08:00:00Z"),
        ("warden", "wrong.csv:2 [came]: 'maybe' names neither yes nor no (write yes or no)"),
        ("warden", "wrong.csv:3 [fair]: 'F01' is not where the application stands: that is F10"),
        ("warden", "wrong.csv:4 [date]: '2026-08-01' is not within the application's period"),
        ("warden", "wrong.csv:5 [date]: 'soon' is not a date"),
        ("again", "all of it is recorded already"),
        ("uncorrected", "A000007 is NO_SHOW: an earlier report would be corrected"),
    ],
)
def test_what_is_refused_says_where_and_what_to_do(decided, name, words):
    _, told = decided
    assert words in told[name]


def test_everybody_stands_where_the_decisions_put_them(decided):
    folder, _ = decided
    now = {row["application_id"]: row for row in csv_rows((folder / "bundle" / STANDINGS).read_bytes())}
    told = {name: (row["status"], int(row["reason_code"]), row["site_ids"]) for name, row in now.items()}
    assert told["A000004"] == ("ATTENDED", Reason.CAME, "F10-spring-A05"), "its own site back, confirmed, and it came"
    assert told["A000005"] == ("CONFIRMED", Reason.CONFIRMED_IN_TIME, "F10-spring-A06")
    assert told["A000007"] == ("ATTENDED", Reason.CAME, "F01-spring-A04")
    assert told["A000219"] == ("ALLOCATED", Reason.MOVED_HERE, "F04-spring-A08")
    assert told["A000136"] == ("WAITLISTED", Reason.WAITS_AFTER_APPEAL, ""), "its own site is taken, no choice is free"
    assert told["A000118"] == ("ALLOCATED", Reason.PLACED_ON_APPEAL, "F11-spring-A06"), "the one that the move freed"
    assert told["A000012"] == ("CLOSED", Reason.APPEAL_DISMISSED, "")
    assert told["A000146"] == ("WAITLISTED", Reason.WAITS_ON, ""), "nobody loses the waiting list by an appeal"
    assert told["A000282"] == ("ALLOCATED", Reason.PINNED, "F11-spring-A01")
    assert told["A000050"] == ("WAITLISTED", Reason.TAKEN_BACK, "")
    assert told["A000230"] == ("CLOSED", Reason.REFUSED_BY_DECISION, "")
    assert told["A000010"] == ("REVOKED", Reason.REVOKED_BY_DECISION, "")


def test_the_applicant_reads_why(decided):
    folder, told = decided
    assert "Revoked by a decision of the city: licence withdrawn" in told["revoked"]
    taken = run_inside(folder, "status", "A000050").stdout
    assert "Taken off its site by a decision after the allocation: court order" in taken


def _asked_ahead(bundle, site_id, favoured):
    """Who waited after the allocation, ahead of an application, and could have used a site: by the sample's rules."""
    tables = {name: csv_rows((bundle / f"{name}.csv").read_bytes()) for name in ("sites", "applications", "outcome")}
    site = next(row for row in tables["sites"] if row["site_id"] == site_id)
    position = next(int(row["queue_position"]) for row in tables["outcome"] if row["application_id"] == favoured)
    waiting = {
        row["application_id"]
        for row in tables["outcome"]
        if row["status"] == "WAITLISTED" and int(row["queue_position"]) < position
    }
    return {
        wish["application_id"]
        for wish in tables["applications"]
        if wish["application_id"] in waiting
        and wish["period"] == site["period"]
        and wish["category"] in (site["categories"].split("|") if site["categories"] else [wish["category"]])
        and set(filter(None, wish["needs"].split("|"))) <= set(site["features"].split("|"))
        and (site["pool"] == "" or wish["kind"] == "gardener")
        and {"*", site["fair_id"], f"{site['fair_id']}/{site['number']}"} & set(wish["choices"].split("|"))
    }


def test_the_price_is_who_loses_what_and_who_is_passed_over(decided):
    folder, told = decided
    price = told["moved"]["acts"][0]["details"]["price"]
    ahead = _asked_ahead(folder / "bundle", "F04-spring-A08", "A000219")
    assert len(ahead) > 1
    assert price == {"loses": {"A000219": "F11-spring-A06"}, "passed_over": sorted(ahead)}
    price = told["pinned"]["acts"][0]["details"]["price"]
    ahead = _asked_ahead(folder / "bundle", "F11-spring-A01", "A000282")
    assert len(ahead) > 2
    assert price == {"loses": {"A000050": "F11-spring-A01"}, "passed_over": sorted(ahead)}
    assert told["forbidden"]["acts"][0]["details"]["price"] == {"loses": {"A000230": ""}, "passed_over": []}


def test_evidence_is_frozen_by_its_digest_and_its_name_is_not_published(decided):
    folder, _ = decided
    acts = [json.loads(line) for line in (folder / "bundle" / ACTS).read_text().splitlines()]
    lodged = next(act for act in acts if act["kind"] == "appeal")
    stood = {"status": "REVOKED", "reason_code": 84, "queue_position": 1, "held": "F10-spring-A05"}
    digest = sha256((folder / "letter.txt").read_bytes()).hex()
    assert lodged["details"] == {"evidence": [digest], "standing": {"A000004": stood}}
    assert b"letter.txt" not in (folder / "bundle" / ACTS).read_bytes()


def test_the_audit_passes_and_lists_every_decision_and_correction(decided):
    folder, _ = decided
    audit = json.loads(run_inside(folder, "audit", "bundle", "--json").stdout)
    assert audit["findings"] == []
    by_hand = "\n".join(audit["overrides"])
    for kind in ("revoke", "settle", "correct", "move", "pin", "forbid"):
        assert f": {kind}, by " in by_hand
    assert "pin, by fairs office, approved by head of fairs: court order" in by_hand
    assert "attendance of A000007 corrected, by warden: the warden mistook the stall" in by_hand


def test_changes_tell_what_each_decision_changed_and_for_whom(decided):
    folder, _ = decided
    rows = json.loads(run_inside(folder, "changes", "bundle", "--json").stdout)
    pinned = {row["application_id"]: row for row in rows if row["kind"] == "pin"}
    assert set(pinned) == {"A000050", "A000282"}
    assert (pinned["A000050"]["before"], pinned["A000050"]["after"]) == ("ALLOCATED", "WAITLISTED")
    assert (pinned["A000050"]["site_before"], pinned["A000050"]["site_after"]) == ("F11-spring-A01", "")
    assert {row["approver"] for row in pinned.values()} == {"head of fairs"}
    corrected = [(row["before"], row["after"]) for row in rows if row["kind"] == "attendance"]
    assert corrected == [("NO_SHOW", "ATTENDED")], "reports themselves are no changes, their correction is"
    assert not any(row["kind"] == "confirm" for row in rows)
    assert "court order" in run_inside(folder, "changes", "bundle").stdout
    run_inside(folder, "report", "bundle", "--out", "page.html")
    page = (folder / "page.html").read_text()
    line = page[page.index('<h2 id="changes">') :].split("A000050")[1].split("</tr>")[0]
    assert "ALLOCATED → WAITLISTED" in line
    assert "F11-spring-A01 → " in line
    everything = json.loads(run_inside(folder, "changes", "bundle", "--all", "--json").stdout)
    assert {row["kind"] for row in everything} > {row["kind"] for row in rows}


def _no_reason(act):
    return replace(act, reason=" ")


def _with_price(**changes):
    return lambda act: replace(act, details={"price": {**act.details["price"], **changes}})


def _on_site(site_no):
    def change(act):
        last = replace(act.waves[-1][0], site_no=SiteNo(site_no))
        return replace(act, waves=(*act.waves[:-1], (last,)))

    return change


def _waits_instead(act):
    step = replace(act.waves[1][0], status=Status.WAITLISTED, reason=Reason.WAITS_AFTER_APPEAL, site_no=0, width=0)
    return replace(act, waves=(act.waves[0], (step,)))


def _one_more_loses(act):
    other = replace(act.waves[0][0], application_no=7)
    return replace(act, waves=((other, *act.waves[0]), act.waves[1]))


def _better_evidence(act):
    standing = {name: {**stood, "queue_position": 3} for name, stood in act.details["standing"].items()}
    return replace(act, details={**act.details, "standing": standing})


TAMPERED = {
    "a revocation without a reason": (ActKind.REVOKE, _no_reason, "act.reason"),
    "an appeal without a reason": (ActKind.APPEAL, _no_reason, "act.reason"),
    "a correction of a report without one": ("last attendance", _no_reason, "act.reason"),
    "an upheld appeal that gives nothing": (ActKind.SETTLE, _waits_instead, "act.effect"),
    "an upheld appeal that gives another site": (ActKind.SETTLE, _on_site(1), "act.effect"),
    "another appeal": (ActKind.SETTLE, lambda act: replace(act, details={**act.details, "appeal": 1}), "act.evidence"),
    "another standing": (ActKind.APPEAL, _better_evidence, "act.evidence"),
    "a pin that takes more than it needs": (ActKind.PIN, _one_more_loses, "act.effect"),
    "a pin without its price": (ActKind.PIN, lambda act: replace(act, details={}), "act.price"),
    "nobody passed over": (ActKind.PIN, _with_price(passed_over=[]), "act.price"),
    "nobody loses": (ActKind.MOVE, _with_price(loses={}), "act.price"),
    "a move to where it cannot stand": (ActKind.MOVE, _on_site(1), "act.unsuitable"),
    "a pin approved by nobody": (ActKind.PIN, lambda act: replace(act, approver=""), "act.approval"),
    "a revocation called an expiry": (ActKind.REVOKE, lambda act: replace(act, kind=ActKind.EXPIRE), "act.kind"),
    "a report before the opening": (
        "last attendance",
        lambda act: replace(act, at=parse_instant("2026-04-04T07:59:59Z")),
        "act.deadline",
    ),
    "a withdrawal after the opening": (
        ActKind.DECLINE,
        lambda act: replace(act, kind=ActKind.WITHDRAW, at=parse_instant("2026-04-04T08:00:00Z")),
        "act.deadline",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_city_that_publishes_it_from_the_start_is_found_out(decided, name):
    """The statement is canonical, and its digest may be on chain: the act itself is wrong."""
    folder, _ = decided
    which, change, code = TAMPERED[name]
    files = read_bundle(folder / "bundle")
    book = published(files)
    acts = [read_act(line) for line in files[ACTS].splitlines()]
    kind = ActKind.ATTENDANCE if which == "last attendance" else which
    of_kind = [number for number, act in enumerate(acts) if act.kind is kind]
    at = of_kind[-1] if which == "last attendance" else of_kind[0]
    acts[at] = change(acts[at])
    told = [(act.statement(book.rules.season.id), act) for act in acts]
    found = {(finding.code, finding.place) for finding in act_findings(book, files, told, b"", check_files)}
    assert (code, f"{ACTS}:{at + 1}") in found
    assert "act.statement" not in {code for code, _ in found}
