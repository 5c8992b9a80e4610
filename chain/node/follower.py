"""An independent copy of somebody else's chain: each block executed here, and its hash compared.

Invariants:
- a block is in the copy only where executing it here gave the hash that the source states;
- what is in the copy stays, whatever the source says later: it is the evidence;
- a copy takes no transactions of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chain.node.blocks import JournalBlock, JournalHeader
from chain.node.embedded import EmbeddedNode
from chain.node.journal import Journal, executed_blocks
from chain.node.manager import open_node
from chain.node.raw_transaction import TransactionRefusedError
from chain.node.sources import Source
from fairalloc.errors import StateConflictError, VerificationFailedError
from fairalloc.findings import Finding

COPY_NOTE = "copy.json"
"""The file that marks a folder as a copy of somebody else's chain."""

AT_ONCE = 200
"""Blocks asked for at once."""


class ConflictError(VerificationFailedError):
    """The source contradicts the copy or itself.

    Attributes:
        finding: what was found.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(
            finding.code,
            [f"{finding.code}: {finding}"],
            "keep the copy as it is: it is the evidence; ask the city what was done",
        )
        self.finding = finding


def is_copy(folder: Path) -> bool:
    """Whether a folder's chain is a copy of somebody else's."""
    return (folder / COPY_NOTE).is_file()


def open_copy(source: Source, folder: Path) -> Callable[[], EmbeddedNode]:
    """What opens the copy in a folder; where there is none, it begins with the source's header.

    Raises:
        StateConflictError: the folder holds a chain of its own, or is in use.
        ChainUnavailableError: the source cannot be reached.
    """
    journal = Journal.open(folder)
    try:
        begun = journal.header() is not None
        if begun and not is_copy(folder):
            raise StateConflictError(
                "follow.not-a-copy", f"{folder} holds a chain of its own", "name another folder for the copy"
            )
        if begun:
            # Its process ended before it was compared; the source gives it again.
            journal.withdraw_unsealed()
        else:
            header = source.header()
            (folder / COPY_NOTE).write_text(json.dumps({"genesis_hash": header.genesis_hash}) + "\n", "ascii")
            journal.create(header)
    finally:
        journal.close()
    return lambda: open_node(folder)


def catch_up(node: EmbeddedNode, source: Source, told: Callable[[int], None] = lambda _: None) -> int:
    """Take every block that the source has and the copy has not.

    Args:
        node: the copy.
        source: what it is a copy of.
        told: hears the number of each block that was taken.

    Returns:
        How many blocks were taken.

    Raises:
        ConflictError: the source's chain begins otherwise, was rewritten or cut short, or a block is not what it is
            said to be. What the source said is kept in a file beside the copy.
        ChainUnavailableError: the source or the copy's engine does not answer.
    """
    _same_beginning(node, source.header())
    _same_end(node, source)
    taken = 0
    while blocks := source.blocks(node.last_block[0] + 1, AT_ONCE):
        for block in blocks:
            number, block_hash = node.last_block
            if block.number != number + 1 or block.parent_hash != block_hash:
                _same_end(node, source)  # it was rewritten while it was read
                words = f"block {number + 1}: the source gives a block that does not follow block {number}"
                raise _conflict(node, Finding.of("follow.block", words), block)
            try:
                node.take(block)
            except (VerificationFailedError, TransactionRefusedError) as error:
                finding = Finding("follow.block", f"block {block.number}", error.message)
                raise _conflict(node, finding, block) from error
            taken += 1
            told(block.number)
    return taken


def _same_beginning(node: EmbeddedNode, theirs: JournalHeader) -> None:
    """Both chains are made from the same things; the engine's version may be another."""
    ours = node.header.to_json()
    for name, value in theirs.to_json().items():
        if name != "engine_version" and value != ours[name]:
            words = f"block 0: {name} is {value!r} at the source and {ours[name]!r} in the copy"
            raise _conflict(node, Finding.of("follow.genesis", words), theirs)


def _same_end(node: EmbeddedNode, source: Source) -> None:
    """The source still has the copy's last block, and with it all before."""
    number, block_hash = node.last_block
    if number == 0:
        return
    found = source.blocks(number, 1)
    if found and (found[0].number, found[0].block_hash) == (number, block_hash):
        return
    height = source.height()
    common = _last_common(node, source, min(number, height))
    if common == height < number:
        words = f"block {common}: the source's chain ends there, the copy has verified blocks up to {number}"
        raise _conflict(node, Finding.of("follow.truncated", words), None)
    theirs, ours = (each.blocks(common + 1, 1) for each in (source, _Own(node)))
    words = (
        f"block {common + 1}: its hash is {_hash(theirs)} at the source and {_hash(ours)} in the copy;"
        f" the last common block is {common} of {number}"
    )
    raise _conflict(node, Finding.of("follow.rewritten", words), theirs[0] if theirs else None)


class _Own:
    """The copy's own blocks."""

    def __init__(self, node: EmbeddedNode) -> None:
        self._folder = node.folder

    def blocks(self, first: int, count: int) -> list[JournalBlock]:
        return executed_blocks(self._folder, first, count)


def _last_common(node: EmbeddedNode, source: Source, highest: int) -> int:
    """The last block that source and copy share; a block's hash stands for all before it."""
    own, low, high = _Own(node), 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        if _hash(source.blocks(middle, 1)) == _hash(own.blocks(middle, 1)):
            low = middle
        else:
            high = middle - 1
    return low


def _hash(blocks: Any) -> str:
    return "0x" + blocks[0].block_hash.hex() if blocks else "none"


def _conflict(node: EmbeddedNode, finding: Finding, said: JournalBlock | JournalHeader | None) -> ConflictError:
    """Keep what the source said beside the copy."""
    number, block_hash = node.last_block
    evidence = {
        "finding": {"code": finding.code, "place": finding.place, "words": finding.words},
        "copy": {"block": number, "hash": "0x" + block_hash.hex()},
        "source": None if said is None else said.to_json(),
    }
    name = f"conflict-{finding.code.partition('.')[2]}-{number}.json"
    (node.folder / name).write_text(json.dumps(evidence, indent=2) + "\n", "ascii")
    return ConflictError(finding)
