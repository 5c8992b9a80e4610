"""The chain's node: `node start`, `node stop`, `node export`, `node follow`."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairalloc import console
from fairalloc.commands.options import DEFAULT_STATE, Json, State
from fairalloc.commands.workspace import Workspace
from fairalloc.errors import ChainUnavailableError, StateConflictError

if TYPE_CHECKING:
    from chain.node.server import NodeServer

app = typer.Typer(help="The chain's node: serve it, stop it, write it to a file, keep a copy.", no_args_is_help=True)

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0 for one that is free.")]
Host = Annotated[str, typer.Option("--host", help="Address to listen at.")]
Names = Annotated[
    list[str] | None, typer.Option("--name", help="A host name by which clients may call it; repeatable.")
]

_START_SECONDS = 300.0
_CLI = Path(__file__).parents[2] / "cli.py"


@app.command()
def start(
    port: Port = 8545,
    host: Host = "127.0.0.1",
    name: Names = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Take no transactions.")] = False,
    background: Annotated[bool, typer.Option("--background", help="Return once it answers; end it by `stop`.")] = False,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Serve the embedded chain: filtered JSON-RPC for auditors and followers, transactions through the journal.

    Other commands of the same installation go on working meanwhile. Ends by Ctrl-C, SIGTERM or `node stop`.

    Example: fairalloc node start --port 8545 --background
    """
    from chain.node.follower import is_copy
    from chain.node.running import running_url, served

    installation = Workspace(state, None, None).chain()
    url = running_url(installation.chain_folder)
    if url is not None:
        raise StateConflictError(
            "node.running", f"the node already answers at {url}", "end it by `fairalloc node stop`"
        )
    if not read_only and not _is_loopback(host):
        console.say("note: whoever reaches this address can send transactions; let strangers read a copy (node follow)")
    if background:
        options = [*("--host", host, "--port", str(port)), *(f"--name={each}" for each in name or ())]
        _in_background([*options, *(["--read-only"] if read_only else [])], state, installation.chain_folder)
        console.out.print(str(running_url(installation.chain_folder)), soft_wrap=True)
        return
    names, read_only = frozenset(map(str.lower, name or ())), read_only or is_copy(installation.chain_folder)
    with (
        stopping() as asked,
        served(installation.embedded, host, port, names=names, read_only=read_only) as server,
    ):
        _tell(server, as_json=as_json)
        asked.wait()
    console.say("the node has ended; the journal is kept")


@app.command()
def stop(state: State = DEFAULT_STATE) -> None:
    """End the node that `start` or `follow` serves from this installation, and wait until it has ended.

    Example: fairalloc node stop
    """
    from chain.node.running import stop as stop_served

    ended = stop_served(Workspace(state, None, None).chain().chain_folder)
    console.say("the node has ended" if ended else "no node was running")


@app.command()
def export(file: Annotated[Path, typer.Argument(help="File to write.")], state: State = DEFAULT_STATE) -> None:
    """Write the embedded chain to a text file, for auditors to execute again.

    Example: fairalloc node export chain.jsonl
    """
    from chain.node.export import export_journal

    export_journal(Workspace(state, None, None).chain().chain_folder, file)
    console.out.print(str(file), soft_wrap=True)


@app.command()
def follow(
    source: Annotated[str, typer.Argument(help="URL of a `node start`, an export, or a folder with a chain.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the copy lives; made if need be.")] = Path("copy"),
    once: Annotated[bool, typer.Option("--once", help="Catch up and end.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.05, help="Seconds between two looks.")] = 2.0,
    port: Port = 0,
    host: Host = "127.0.0.1",
    name: Names = None,
    as_json: Json = False,
) -> None:
    """Keep an independent copy of a chain: execute every block on a node of your own and compare its hash.

    The copy answers reads meanwhile (`audit BUNDLE --state FOLDER`, or --rpc). A chain that was altered, rewritten or
    cut short ends this with exit code 5; the copy stays as it is.

    Example: fairalloc node follow https://city.example/chain --folder copy
    """
    from chain.node.follower import catch_up, open_copy
    from chain.node.running import served
    from chain.node.sources import open_source

    known = open_source(source)
    opened = open_copy(known, folder / "node")
    if once:
        with closing(opened()) as node:
            taken = catch_up(node, known)
            _tell_block(*node.last_block, taken, as_json=as_json)
        return
    waiting, names = Waiting("the source"), frozenset(map(str.lower, name or ()))
    with stopping() as asked, served(opened, host, port, names=names, read_only=True) as server:
        _tell(server, as_json=as_json)
        while not asked.is_set():
            with waiting:
                if taken := catch_up(server.gateway.node, known):
                    _tell_block(*server.gateway.node.last_block, taken, as_json=as_json)
            asked.wait(every)


class Waiting:
    """Bears that something does not answer: says so once, and once that it is back."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._gone = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        gone = isinstance(error, ChainUnavailableError)
        if gone and not self._gone:
            console.say(f"{self._what}: {error.message if isinstance(error, ChainUnavailableError) else ''}; waiting")
        elif error is None and self._gone:
            console.say(f"{self._what}: answers again")
        self._gone = gone
        return gone


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that is set when the process is asked to end, by Ctrl-C or SIGTERM."""
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, lambda *_: asked.set())
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(server: NodeServer, *, as_json: bool) -> None:
    """Where the node answers, for people or programs, at once even into a pipe."""
    node = server.gateway.node
    facts = {"url": server.url, "pid": os.getpid(), "engine": node.kind, "chain_id": node.header.chain_id}
    facts |= {"genesis": node.header.genesis_hash, "blocks": node.last_block[0]}
    if as_json:
        console.show_json(facts)
    else:
        console.out.print(f"{server.url} ({node.kind}, {node.last_block[0]:,} blocks)", soft_wrap=True)
    sys.stdout.flush()


def _tell_block(number: int, block_hash: bytes, taken: int, *, as_json: bool) -> None:
    """How far the copy is now."""
    if as_json:
        sys.stdout.write(json.dumps({"block": number, "hash": "0x" + block_hash.hex(), "taken": taken}) + "\n")
    else:
        console.out.print(f"block {number:,} 0x{block_hash.hex()}, {taken:,} taken, each the same", soft_wrap=True)
    sys.stdout.flush()


def _in_background(options: list[str], state: Path, folder: Path) -> None:
    """Start this command again as a process of its own, and wait until its node answers.

    Raises:
        ChainUnavailableError: it does not come to answering.
    """
    from chain.node.running import running_url

    state.mkdir(parents=True, exist_ok=True)
    log = state / "node.log"
    words = [sys.executable, str(_CLI), "node", "start", "--state", str(state), *options]
    with log.open("ab") as said:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
    deadline = time.monotonic() + _START_SECONDS
    while running_url(folder) is None:
        if child.poll() is not None or time.monotonic() > deadline:
            raise ChainUnavailableError("node.not-started", "the node did not start", f"{log} says why")
        time.sleep(0.05)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
