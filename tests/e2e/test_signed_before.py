"""Keys that change between signing and sending: what the old ones signed is not lost."""

from __future__ import annotations

from fairalloc.commands.workspace import Workspace
from fairalloc.services.context import find_season


def test_what_an_old_key_signed_is_signed_again(inside, tmp_path):
    inside("synth", "season", "--applications", 80, "--seed", 5)
    inside("allocate", "season", "--out", "bundle", "--no-chain")
    workspace = Workspace(tmp_path / ".fairalloc", None, None)
    store = workspace.store()
    season_no = find_season(store, None).season_no
    with workspace.chain().ledger() as ledger:
        # The machine stops here: everything is signed and kept, nothing was sent.
        signed = ledger.sign([entry.call for entry in store.outbox(season_no)])
        store.mark_signed(signed)
    store.close()
    for role in ("registrar", "clerk", "allocator"):
        inside("keys", "rotate", role)
    inside("publish", "--out", "bundle")
    assert "audit passed" in inside("audit", "bundle").stdout
