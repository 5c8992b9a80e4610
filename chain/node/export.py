"""A chain as a plain file that strangers can execute: one JSON object a line, the same bytes for the same chain.

The first line is the journal's header, then one line per block (``number``, ``timestamp``, ``parent``, ``hash``, and
the raw signed ``transactions``), and last the number of blocks and the hash of the last one: a file cut short shows.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chain.node.blocks import JournalBlock, JournalHeader
from chain.node.embedded import Clock, EmbeddedNode
from chain.node.journal import Journal, snapshot
from chain.node.manager import open_node
from fairalloc.errors import StateConflictError, VerificationFailedError

FORMAT = "fairalloc-chain/1"


def export_journal(folder: Path, file: Path) -> int:
    """Write the chain of a folder to a file; the node may be running meanwhile.

    Args:
        folder: the embedded node's folder.
        file: replaced as a whole, or left alone.

    Returns:
        The number of blocks written. A block that is still being executed is not among them.

    Raises:
        ChainUnavailableError: there is no chain in the folder.
    """
    partial = file.with_name(file.name + ".partial")
    count = 0
    with snapshot(folder) as (header, blocks), partial.open("w", encoding="ascii", newline="\n") as output:
        output.write(_line({"export": FORMAT, **header.to_json()}))
        head = header.genesis_hash
        for block in blocks:
            if block.block_hash is None:
                break
            head = "0x" + block.block_hash.hex()
            output.write(_line(block.to_json()))
            count += 1
        output.write(_line({"blocks": count, "head": head}))
        output.flush()
        os.fsync(output.fileno())
    partial.replace(file)
    return count


def replica_from_export(file: Path, scratch_folder: Path, *, clock: Clock = time.time) -> EmbeddedNode:
    """Execute an exported chain on a node of one's own and compare every block's hash.

    Args:
        file: an export.
        scratch_folder: where the replica lives; must not hold a chain yet.
        clock: seconds since 1970.

    Returns:
        A node that has executed all of it. Close it after use.

    Raises:
        VerificationFailedError: the file is damaged, or a block does not execute to the hash it is said to have.
        StateConflictError: the folder already holds a chain.
        ChainUnavailableError: the engine that the chain needs is missing.
    """
    header, blocks = read_export(file)
    journal = Journal.open(scratch_folder)
    try:
        if journal.header() is not None:
            raise StateConflictError(
                "chain.replica-exists",
                f"{scratch_folder} already holds a chain",
                "name an empty folder for the replica",
            )
        journal.create(header, blocks)
    finally:
        journal.close()
    return open_node(scratch_folder, clock=clock)


@contextmanager
def replica(file: Path) -> Iterator[EmbeddedNode]:
    """:func:`replica_from_export` in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fairalloc-replica-") as scratch:
        node = replica_from_export(file, Path(scratch))
        try:
            yield node
        finally:
            node.close()


def read_export(file: Path) -> tuple[JournalHeader, list[JournalBlock]]:
    """The header and the blocks of an export that is whole; nothing is executed.

    Raises:
        VerificationFailedError: the file is damaged.
    """
    with file.open(encoding="utf-8") as lines:
        return _read(lines)


def _read(lines: Iterable[str]) -> tuple[JournalHeader, list[JournalBlock]]:
    objects = _objects(lines)
    header_line, header_object = next(objects, (1, {}))
    if header_object.pop("export", None) != FORMAT:
        raise _damaged(header_line, f"it is not the header of a {FORMAT} export")
    blocks: list[JournalBlock] = []
    line = header_line
    end: dict[str, Any] | None = None
    try:
        header = JournalHeader.from_json(header_object)
        head = header.genesis_hash
        for line, content in objects:
            if end is not None:
                raise _damaged(line, "something follows the end")
            if "blocks" in content:
                end = content
                continue
            block = JournalBlock.from_json(content)
            if block.number != len(blocks) + 1:
                raise _damaged(line, f"block {len(blocks) + 1} was to follow, not block {block.number}")
            if "0x" + block.parent_hash.hex() != head:
                raise _damaged(line, f"the parent of block {block.number} is not the block before it")
            head = str(content["hash"])
            blocks.append(block)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(line, f"a value is missing or malformed ({error})") from error
    if end != {"blocks": len(blocks), "head": head}:
        raise _damaged(line, "the file was cut short, or blocks were taken out")
    return header, blocks


def _objects(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
        except ValueError as error:
            raise _damaged(number, "it is not JSON") from error
        if not isinstance(content, dict):
            raise _damaged(number, "it is not a JSON object")
        yield number, content


def _damaged(line: int, reason: str) -> VerificationFailedError:
    return VerificationFailedError(
        "chain.export-damaged", [f"line {line} of the chain export: {reason}"], "fetch the export again"
    )


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"
