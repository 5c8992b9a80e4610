"""What an applicant holds against the city: `receipt`, `receipt verify`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from fairalloc import console
from fairalloc.audit import Audit, recorded_at
from fairalloc.bundle.folder import read_bundle
from fairalloc.commands.options import DEFAULT_STATE, Db, Export, Json, Rpc, SeasonOption, State
from fairalloc.commands.workspace import CODE_HASH, Workspace
from fairalloc.errors import UsageError, VerificationFailedError
from fairalloc.findings import Finding
from fairalloc.ledger import SeasonNo
from fairalloc.receipt import (
    Receipt,
    Step,
    check_bundle,
    check_chain,
    check_head,
    check_receipt,
    read_receipt,
    receipt_files,
    render_receipt,
)
from fairalloc.receipt.acknowledgement import (
    Acknowledgement,
    check_acknowledgement,
    read_acknowledgement,
    words_to_sign,
)
from fairalloc.receipt.against_collected import check_collected, check_opener, check_recorded
from fairalloc.receipt.reading import record_file
from fairalloc.services import receipting
from fairalloc.services.context import SeasonContext, find_application, find_season

if TYPE_CHECKING:
    from chain.node_port import Node


class _IssueUnlessNamed(TyperGroup):
    """`receipt A000042` means `receipt issue A000042`: what is asked for most needs no word of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See typer."""
        return super().parse_args(ctx, args if not args or args[0] in {*self.commands, "--help"} else ["issue", *args])


app = typer.Typer(
    cls=_IssueUnlessNamed,
    help="Make an applicant's receipt, or check one: `receipt A000042`, `receipt verify FILE`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def issue(
    application: Annotated[str | None, typer.Argument(help="The published id (A000001), or the city's own.")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="File to write; the page goes beside it.")] = None,
    folder: Annotated[Path | None, typer.Option("--all", help="Write everybody's into this folder instead.")] = None,
    season: SeasonOption = None,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    as_json: Json = False,
) -> None:
    """Write an application's receipt: a file that proves against the city what was handed in, and a page to print.

    Example: fairalloc receipt A000042 --out A000042.receipt.json
    """
    if (application is None) == (folder is None):
        raise UsageError(
            "receipt.whose", "give either an application or --all FOLDER", "see `fairalloc receipt --help`"
        )
    workspace = Workspace(state, db, rpc)
    store = workspace.store()
    context = SeasonContext.load(store, find_season(store, season))
    number = None if application is None else find_application(context, application)
    receipting.require_register(store, context)
    with workspace.chain().reading() as ledger:
        if number is None:
            _write_all(receipting.issue_receipts(store, context, ledger), folder or Path(), context, as_json=as_json)
            return
        receipt = receipting.issue_receipt(store, context, ledger, number)
    file = to or _file(receipt)
    written = _write(receipt, file)
    if as_json:
        console.show_json({"application": receipt.label, **{name: str(path) for name, path in written.items()}})
    else:
        for path in written.values():
            console.out.print(str(path), soft_wrap=True)
    console.err.print(f"next: fairalloc receipt verify {file} --bundle FOLDER", soft_wrap=True)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A receipt.")],
    head: Annotated[str | None, typer.Option("--head", help="A head that was published, in hex.")] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", help="The published files.")] = None,
    rpc: Rpc = None,
    export: Export = None,
    as_json: Json = False,
) -> None:
    """Check a receipt against a published head, a bundle or a node, and tell what each step proves.

    An acknowledgement of the intake is checked by its signature, and against a bundle, with a node or without.

    Example: fairalloc receipt verify A000042.receipt.json --bundle out/season
    """
    if (told := read_acknowledgement(file)) is not None:
        if head is not None or (bundle is None and (rpc is not None or export is not None)):
            raise UsageError(
                "receipt.acknowledgement",
                "an acknowledgement was given before its season was on chain, so it names no contract and no head",
                "name the published files with --bundle, and with them a node or an export",
            )
        files = None if bundle is None else read_bundle(bundle)
        _tell_acknowledgement(told, files, rpc, export, as_json=as_json)
        return
    wanted = None if head is None else _head(head)
    receipt = read_receipt(file)
    steps = check_receipt(receipt)
    if wanted is not None:
        steps.append(check_head(receipt, wanted))
    if bundle is not None:
        steps += check_bundle(receipt, read_bundle(bundle))
    if rpc is not None or export is not None:
        steps += _on_chain(receipt, rpc, export)
    if wanted is None and bundle is None and rpc is None and export is None:
        words = "the receipt was held against nothing: name what was published with --bundle, --head, --rpc or --export"
        steps.append(Step("something published", "", (Finding("receipt.unknown", file.name, words),)))
    _tell({"application": receipt.label, "season": receipt.season_id}, steps, as_json=as_json)


def _on_chain(receipt: Receipt, rpc: str | None, export: Path | None) -> list[Step]:
    """The steps against a node by its URL, or one that executes an export."""
    from chain.client import LedgerClient

    with _node(rpc, export) as node:
        ledger = LedgerClient(node, receipt.chain.contract)
        history = ledger.history(SeasonNo(receipt.chain.season_no))
        return check_chain(receipt, ledger.identity(), history, CODE_HASH)


def _node(rpc: str | None, export: Path | None) -> AbstractContextManager[Node]:
    from chain.node.export import replica
    from chain.rpc_node import RpcNode

    return replica(export) if export is not None else closing(RpcNode(rpc or ""))


def _tell_acknowledgement(
    told: Acknowledgement, files: Mapping[str, bytes] | None, rpc: str | None, export: Path | None, *, as_json: bool
) -> None:
    from chain.keyring import signer_of

    steps = check_acknowledgement(told, signer_of(words_to_sign(told.seal.root), bytes.fromhex(told.seal.signature)))
    if files is not None:
        steps += check_collected(told, files)
        on_chain = rpc is not None or export is not None
        steps += _recorded(told, files, rpc, export) if on_chain else [check_opener(told, files)]
    _tell({"application": told.record.application_id, "season": told.season}, steps, as_json=as_json)


def _recorded(told: Acknowledgement, files: Mapping[str, bytes], rpc: str | None, export: Path | None) -> list[Step]:
    """The steps of an acknowledgement against the node on which a bundle says that it is recorded."""
    from chain.client import LedgerClient
    from chain.rights import MAY_SUBMIT

    contract, season_no = recorded_at(files, Audit())
    with _node(rpc, export) as node:
        ledger = LedgerClient(node, contract)
        identity, history = ledger.identity(), ledger.history(season_no)
    registrars = {key for key, mask in history.administration.granted.items() if mask & MAY_SUBMIT}
    return check_recorded(told, files, identity, history, CODE_HASH, registrars)


def _file(receipt: Receipt) -> Path:
    return Path(f"{receipt.label}.receipt.json")


def _write_all(receipts: Iterator[Receipt], folder: Path, context: SeasonContext, *, as_json: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    total, count = len(context.season.applications), 0
    with console.ConsoleProgress().step("receipts", total) as advance:
        for receipt in receipts:
            _write(receipt, folder / _file(receipt))
            count += 1
            advance(1)
    facts = {"receipts": count, "without one, their salt erased": total - count}
    console.show(f"Season {context.record.season_id}", facts, as_json=as_json)


def _write(receipt: Receipt, file: Path) -> dict[str, Path]:
    """The receipt, its page, and the record where that is too long: for their holder's eyes."""
    if file.is_dir():
        raise UsageError("receipt.folder", f"{file} is a folder", "name a file with --out")
    content, record = receipt_files(receipt)
    page = file.with_suffix(".html")
    written = {"receipt": file, "page": page}
    contents = {file: content, page: render_receipt(receipt, file.name).encode()}
    if record is not None:
        written["record"] = file.with_name(record_file(receipt))
        contents[written["record"]] = record
    for path, data in contents.items():
        path.touch(mode=0o600)
        path.write_bytes(data)
    return written


def _tell(whose: Mapping[str, str], steps: Sequence[Step], *, as_json: bool) -> None:
    """A receipt's check, step by step with what each proves, and the exit code for what was found.

    Raises:
        VerificationFailedError: where anything was found.
    """
    findings = [finding for step in steps for finding in step.findings]
    verdict = "failed" if findings else "passed"
    if as_json:
        rows = [
            {
                "step": step.name,
                "passed": not step.findings,
                "proves": "" if step.findings else step.proves,
                "findings": [console.finding_json(finding) for finding in step.findings],
            }
            for step in steps
        ]
        console.show_json(
            {
                **whose,
                "verdict": verdict,
                "steps": rows,
                "findings": [console.finding_json(finding) for finding in findings],
            }
        )
    else:
        console.out.print(f"Receipt {whose['application']}, season {whose['season']}", style="bold", markup=False)
        for step in steps:
            words = f"FAILED {step.name}" if step.findings else f"ok     {step.name}: {step.proves}"
            console.out.print(words, markup=False, soft_wrap=True)
            for finding in step.findings:
                console.show_finding(finding)
        console.out.print(f"receipt {verdict}", style="bold")
    if findings:
        remedy = "show receipt and findings to whoever you trust, and ask the city which of them is right"
        if {finding.code for finding in findings} == {"receipt.unknown"}:
            remedy = "nothing was found altered, and nothing proven either: name the published files, or newer ones"
        raise VerificationFailedError("receipt.findings", [str(finding) for finding in findings], remedy)


def _head(text: str) -> bytes:
    try:
        head = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        head = b""
    if len(head) != 32:
        raise UsageError("receipt.head", f"{text!r} is no head", "give its 64 hex digits, as `chain.json` has them")
    return head
