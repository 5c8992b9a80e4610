"""Keys that change: in a role's place, and in their password, on a real node and however often interrupted."""

from __future__ import annotations

import itertools

import pytest
from eth_utils.address import to_checksum_address

from chain import deployment, keyring, rotation
from chain.deployment import bound, grant_missing, open_contract, rights_of
from chain.keyring import ADMIN, CLERK, KEY_NAMES, STRETCHED, Keyring, default_password, rounds_of
from chain.logs import keys_ever_given
from chain.node.anvil_process import find_anvil
from chain.node.manager import open_node
from chain.rights import RIGHTS
from chain.rotation import end_rotations, rotate
from fairalloc.errors import ChainUnavailableError, StateConflictError

ENGINES = ("anvil", "py-evm") if find_anvil() else ("py-evm",)


class Stopped(Exception):  # noqa: N818  not an error of the program
    """The machine was switched off here."""


@pytest.fixture(params=ENGINES)
def node(request, tmp_path):
    keys = keys_of(tmp_path)
    with_node = open_node(tmp_path / "node", keys.addresses(), prefer=request.param)
    yield with_node
    with_node.close()


def keys_of(folder):
    return Keyring.open(folder / "keys", default_password(folder / "keys"))


def holders(node, address):
    """Every key that has any right, by what it may do."""
    contract = bound(node, address)
    masks = {key: rights_of(contract, key) for key in keys_ever_given(node.w3, address)}
    return {key: mask for key, mask in masks.items() if mask}


def as_it_should_be(folder, node, address):
    keys = keys_of(folder)
    assert holders(node, address) == {keys.address(name): RIGHTS[name] for name in KEY_NAMES}
    assert bound(node, address).functions.admin().call() == keys.address(ADMIN)
    assert not any(map(keys.has_next, KEY_NAMES))
    return True


def test_each_role_gets_another_key_and_the_old_one_no_right(node, tmp_path):
    address = open_contract(node, keys_of(tmp_path), tmp_path)
    grant_missing(node, keys_of(tmp_path), address)
    roles = KEY_NAMES if node.kind == "anvil" else (ADMIN, CLERK)
    for role in roles:
        keys = keys_of(tmp_path)
        before = keys.address(role)
        done = rotate(node, keys, address, role)
        assert done.before == before != done.now == keys.address(role) == keys_of(tmp_path).address(role)
        assert as_it_should_be(tmp_path, node, address)
        # The new key has no money and is not in the genesis; it can send where gas costs nothing.
        assert node.w3.eth.get_balance(to_checksum_address(done.now)) == 0
        assert open_contract(node, keys_of(tmp_path), tmp_path) == address
        grant_missing(node, keys_of(tmp_path), address)
    assert len(list((tmp_path / "keys" / "retired").iterdir())) == len(roles)


@pytest.mark.parametrize("role", [CLERK, ADMIN])
def test_a_rotation_stopped_anywhere_ends_with_one_key(role, tmp_path, monkeypatch):
    keys = keys_of(tmp_path)
    engine = ENGINES[0]
    with open_closing(tmp_path, keys, engine) as node:
        address = open_contract(node, keys, tmp_path)
        grant_missing(node, keys, address)
        for steps in itertools.count():
            keys = keys_of(tmp_path)
            stop_after(monkeypatch, steps)
            try:
                rotate(node, keys, address, role)
            except Stopped:
                stopped = True
            else:
                stopped = False
            monkeypatch.undo()
            # Whoever opens the contract next ends what has begun on chain; then the command is run again.
            end_rotations(node, keys_of(tmp_path), address)
            grant_missing(node, keys_of(tmp_path), address)
            rotate(node, keys_of(tmp_path), address, role)
            assert as_it_should_be(tmp_path, node, address)
            if not stopped:
                break
    assert steps >= 5


def open_closing(folder, keys, engine):
    from contextlib import closing

    return closing(open_node(folder / "node", keys.addresses(), prefer=engine))


def stop_after(monkeypatch, steps):
    """Stops before the step of that number: each file written, each call sent."""
    left = itertools.count(steps, -1)

    def guarded(function):
        def step(*arguments, **named):
            if next(left) == 0:
                raise Stopped
            return function(*arguments, **named)

        return step

    for module, name in (
        (keyring, "write_private"),
        (keyring, "sync_folder"),
        (rotation, "administer"),
    ):
        monkeypatch.setattr(module, name, guarded(getattr(module, name)))
    administer_one_by_one(monkeypatch, left)


def administer_one_by_one(monkeypatch, left):
    """Calls of one batch may be mined one by one: stop between them too."""
    submit = deployment._succeeded

    def step(receipts, what):
        submit(receipts, what)
        if next(left) == 0:
            raise Stopped

    monkeypatch.setattr(deployment, "_succeeded", step)


def test_what_was_taken_from_a_key_is_not_given_back_in_passing(tmp_path):
    keys = keys_of(tmp_path)
    with open_closing(tmp_path, keys, ENGINES[0]) as node:
        address = open_contract(node, keys, tmp_path)
        grant_missing(node, keys, address)
        deployment.administer(node, keys, ADMIN, address, [("grant", keys.address(CLERK), 0)])
        with pytest.raises(StateConflictError) as found:
            grant_missing(node, keys_of(tmp_path), address)
        assert found.value.code == "keys.revoked"
        rotate(node, keys_of(tmp_path), address, CLERK)
        assert as_it_should_be(tmp_path, node, address)


def test_the_contract_of_an_installation_older_than_its_file_is_found(tmp_path):
    keys = keys_of(tmp_path)
    with open_closing(tmp_path, keys, ENGINES[0]) as node:
        address = open_contract(node, keys, tmp_path)
        (tmp_path / deployment.FILE).unlink()
        assert open_contract(node, keys, tmp_path) == address
        rotate(node, keys, address, ADMIN)
        assert open_contract(node, keys_of(tmp_path), tmp_path) == address
        # Without the file, nothing leads from the new administrator to the contract: that is said, not deployed again.
        (tmp_path / deployment.FILE).rename(tmp_path / "kept")
        height = node.w3.eth.block_number
        with pytest.raises(ChainUnavailableError) as found:
            open_contract(node, keys_of(tmp_path), tmp_path)
        assert found.value.code == "chain.contract-gone"
        assert node.w3.eth.block_number == height


def test_the_password_of_all_keys_changes_or_of_none(tmp_path, monkeypatch):
    folder = tmp_path / "keys"
    addresses = keys_of(tmp_path).addresses()
    monkeypatch.setattr(keyring, "STRETCHED", 1000)
    now, stopped = default_password(folder), True
    for steps in itertools.count():
        if not stopped:
            break
        wanted, stopped = f"wanted {steps}", False
        stop_after(monkeypatch, steps)
        try:
            Keyring.open(folder, now).change_password(wanted)
        except Stopped:
            stopped = True
        monkeypatch.undo()
        monkeypatch.setattr(keyring, "STRETCHED", 1000)
        keyring.end_password_change(folder)
        now = wanted if opens(folder, wanted) else now
        opened = Keyring.open(folder, now)
        assert opened.addresses() == addresses
        for name in KEY_NAMES:
            opened.unlock(name)
    assert (now, steps > len(KEY_NAMES)) == (wanted, True)
    assert not (folder / "password").exists()
    with pytest.raises(ChainUnavailableError, match="cannot be read with this password"):
        default_password(folder)


def test_a_password_that_a_person_chose_is_stretched(tmp_path):
    Keyring.open(tmp_path / "drawn", default_password(tmp_path / "drawn"))
    assert rounds_of(tmp_path / "drawn" / "clerk.json") == keyring.RANDOM_STRETCHED
    Keyring.open(tmp_path / "drawn", default_password(tmp_path / "drawn")).change_password("chosen")
    assert rounds_of(tmp_path / "drawn" / "clerk.json") == STRETCHED >= 600_000


def test_a_role_that_is_new_gets_no_key_under_another_password(tmp_path):
    keys_of(tmp_path)
    (tmp_path / "keys" / "desk.json").unlink()
    with pytest.raises(ChainUnavailableError):
        Keyring.open(tmp_path / "keys", "another")
    assert not (tmp_path / "keys" / "desk.json").exists()


def opens(folder, password):
    try:
        return Keyring.open(folder, password).unlock(ADMIN) is not None
    except ChainUnavailableError:
        return False
