# pragma version ==0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Season ledger
@notice The public record of a city's stall allocation: every status of every application, in order, for good.
@dev One deployment serves many seasons. What it refuses: an illegal transition, a key without the right to it, a site
     given twice, an unknown application or site, a call out of sequence, decisions before the inputs are fixed, and
     anything on a paused contract or a closed season. What it makes impossible to hide: every call carries a sequence
     number and moves a rolling head, head' = keccak(head ++ keccak(payload)), so that a log that is left out,
     repeated or changed shows. It holds no names, no tax numbers, and no function that overwrites a status.
"""

# --- generated from fairalloc/status.py by chain/contract/build.py: begin ---
LEGAL: constant(uint256) = 154291160655804613175083704024026498187094984441881296485744642
HOLDS: constant(uint256) = 1616
MOVES: constant(uint256) = 2855268424620477177149564037779712064616661454381989759666898353620671006288
DECISIONS: constant(uint256) = 84809953206548827044043751894667270572319512687125155625146319255051960368
# --- generated: end ---

# No transition leads to status 0, so the table's cells (before, 0) are free to carry the other rights;
# `record` looks at the cells of LEGAL only.
MAY_OPEN: constant(uint256) = 1
MAY_COMMIT: constant(uint256) = 1 << 16
MAY_CLOSE: constant(uint256) = 1 << 32
MAY_PAUSE: constant(uint256) = 1 << 48
GRANTABLE: constant(uint256) = LEGAL | MAY_OPEN | MAY_COMMIT | MAY_CLOSE | MAY_PAUSE

KIND_SUBMIT: constant(uint256) = 1
KIND_COMMIT: constant(uint256) = 2
KIND_RECORD: constant(uint256) = 3
KIND_CLOSE: constant(uint256) = 4

TOPIC_INPUTS: constant(uint256) = 1
SUBMITTED: constant(uint256) = 1
SUBMIT_RIGHT: constant(uint256) = 1 << SUBMITTED
# The status SUBMITTED (1) in each of a word's eight lanes.
EIGHT_SUBMITTED: constant(uint256) = max_value(uint256) // (2**32 - 1)

# A season's state in one word: next seq (64 bits), applications (32), sites (32), flags (8).
FLAG_OPEN: constant(uint256) = 1 << 128
FLAG_INPUTS: constant(uint256) = 1 << 129
FLAG_CLOSED: constant(uint256) = 1 << 130
U24: constant(uint256) = 2**24 - 1
U32: constant(uint256) = 2**32 - 1
U64: constant(uint256) = 2**64 - 1
# Width and first site, as they stand side by side in a record.
PLACE: constant(uint256) = 2**28 - 1

MAX_SUBMIT: constant(uint256) = 1500
MAX_WORDS: constant(uint256) = 400

event SeasonOpened:
    season: indexed(uint32)
    actor: address
    rules_hash: bytes32
    site_count: uint256
    head: bytes32

event Submitted:
    season: indexed(uint32)
    seq: uint256
    actor: address
    first: uint256
    head: bytes32
    commitments: DynArray[bytes32, MAX_SUBMIT]

event Committed:
    season: indexed(uint32)
    seq: uint256
    actor: address
    topic: uint256
    digest: bytes32
    head: bytes32

event Recorded:
    season: indexed(uint32)
    seq: uint256
    actor: address
    head: bytes32
    words: DynArray[uint256, MAX_WORDS]

event SeasonClosed:
    season: indexed(uint32)
    seq: uint256
    actor: address
    head: bytes32

event PausedSet:
    actor: address
    paused: bool

event RightsSet:
    key: indexed(address)
    mask: uint256

event AdminProposed:
    candidate: indexed(address)

event AdminChanged:
    admin: indexed(address)

admin: public(address)
proposed_admin: public(address)
paused: public(bool)
rights: public(HashMap[address, uint256])

heads: HashMap[uint256, bytes32]
states: HashMap[uint256, uint256]
# Eight applications to a word, 32 bits each: status (4), width (4), first site (24). Key: season << 32 | (number - 1) / 8.
lanes: HashMap[uint256, uint256]
# One bit a site. Key: season << 32 | site / 256.
taken: HashMap[uint256, uint256]


@deploy
def __init__():
    """
    @notice The deploying key becomes the administrator; it can grant rights, but holds none over applications itself.
    """
    self.admin = msg.sender
    log AdminChanged(admin=msg.sender)


@external
def grant(key: address, mask: uint256):
    """
    @notice Set the rights of a key.
    @param key The key's address.
    @param mask Bit 16 * before + after for each transition that the key may write; the cells (n, 0) for opening (n = 0),
                committing (1), closing (2) and pausing (3).
    """
    assert msg.sender == self.admin, "not admin"
    assert mask & ~GRANTABLE == 0, "illegal mask"
    self.rights[key] = mask
    log RightsSet(key=key, mask=mask)


@external
def propose_admin(candidate: address):
    """
    @notice First step of handing over the administration; nothing changes until the candidate accepts.
    """
    assert msg.sender == self.admin, "not admin"
    self.proposed_admin = candidate
    log AdminProposed(candidate=candidate)


@external
def accept_admin():
    """
    @notice Second step of handing over the administration, by the candidate.
    """
    assert msg.sender == self.proposed_admin and msg.sender != empty(address), "not proposed"
    self.admin = msg.sender
    self.proposed_admin = empty(address)
    log AdminChanged(admin=msg.sender)


@external
def set_paused(paused: bool):
    """
    @notice Stop or resume all writing to all seasons.
    """
    assert self.rights[msg.sender] & MAY_PAUSE != 0, "no right"
    self.paused = paused
    log PausedSet(actor=msg.sender, paused=paused)


@external
def open_season(season: uint32, rules_hash: bytes32, site_count: uint256):
    """
    @notice Start a season: its call 0. The rules hash and the number of sites can never change afterwards.
    """
    key: uint256 = convert(season, uint256)
    assert not self.paused, "paused"
    assert self.rights[msg.sender] & MAY_OPEN != 0, "no right"
    assert self.states[key] == 0, "already open"
    assert site_count < 2**24, "too many sites"
    head: bytes32 = keccak256(abi_encode(chain.id, self, season, rules_hash, site_count))
    self.heads[key] = head
    self.states[key] = FLAG_OPEN | (site_count << 96) | 1
    log SeasonOpened(season=season, actor=msg.sender, rules_hash=rules_hash, site_count=site_count, head=head)


@external
def submit(season: uint32, seq: uint256, commitments: DynArray[bytes32, MAX_SUBMIT]):
    """
    @notice Register applications. They get the next numbers, in this order.
    @param commitments For each application SHA-256 of a secret salt and its record.
    """
    key: uint256 = convert(season, uint256)
    state: uint256 = self._begin(key, seq)
    assert self.rights[msg.sender] & SUBMIT_RIGHT != 0, "no right"
    count: uint256 = len(commitments)
    first: uint256 = (state >> 64) & U32
    last: uint256 = first + count
    assert count != 0 and last < 2**24, "bad count"

    position: uint256 = first
    base: uint256 = key << 32
    for _: uint256 in range(MAX_SUBMIT):
        if position >= last:
            break
        lane: uint256 = position & 7
        take: uint256 = min(8 - lane, last - position)
        fill: uint256 = (EIGHT_SUBMITTED >> (256 - 32 * take)) << (32 * lane)
        if lane == 0:
            self.lanes[base | (position >> 3)] = fill
        else:
            self.lanes[base | (position >> 3)] |= fill
        position = unsafe_add(position, take)

    head: bytes32 = self._advance(key, keccak256(abi_encode(KIND_SUBMIT, seq, msg.sender, first, commitments)))
    self.states[key] = state + 1 + (count << 64)
    log Submitted(season=season, seq=seq, actor=msg.sender, first=first + 1, head=head, commitments=commitments)


@external
def commit(season: uint32, seq: uint256, topic: uint256, digest: bytes32):
    """
    @notice Fix a digest of published data. Topic 1 fixes the inputs: before it, nothing can be allocated.
    """
    key: uint256 = convert(season, uint256)
    state: uint256 = self._begin(key, seq)
    assert self.rights[msg.sender] & MAY_COMMIT != 0, "no right"
    assert topic != 0, "no topic"
    if topic == TOPIC_INPUTS:
        state = state | FLAG_INPUTS
    head: bytes32 = self._advance(key, keccak256(abi_encode(KIND_COMMIT, seq, msg.sender, topic, digest)))
    self.states[key] = state + 1
    log Committed(season=season, seq=seq, actor=msg.sender, topic=topic, digest=digest, head=head)


@external
def record(season: uint32, seq: uint256, words: DynArray[uint256, MAX_WORDS]):
    """
    @notice Change the status of applications, all of them or none.
    @param words Four records to a word, the first in the highest bits: application (24 bits), status (4), width (4),
                 first site (24), reason (8). Width and site stand only where a site is given. A record of zero is
                 padding, and everything after it in its word must be zero too.
    """
    key: uint256 = convert(season, uint256)
    state: uint256 = self._begin(key, seq)
    # Without the table's mask, the rights kept in its cells (before, 0) would let their holders erase a status.
    allowed: uint256 = self.rights[msg.sender] & LEGAL
    if state & FLAG_INPUTS == 0:
        allowed = allowed & ~DECISIONS
    applications: uint256 = (state >> 64) & U32
    site_limit: uint256 = unsafe_add((state >> 96) & U32, 1)
    base: uint256 = key << 32
    assert len(words) != 0, "empty"

    # Neighbouring applications share a word of storage, and so do neighbouring sites: each is read and written once.
    lane_key: uint256 = base | U32
    lane_word: uint256 = 0
    site_key: uint256 = base | U32
    site_word: uint256 = 0
    for word: uint256 in words:
        assert word >> 192 != 0, "empty word"
        rest: uint256 = word
        for _: uint256 in range(4):
            if rest >> 192 == 0:
                assert rest == 0, "bad padding"
                break
            number: uint256 = unsafe_sub(rest >> 232, 1)
            after: uint256 = (rest >> 228) & 15
            place: uint256 = (rest >> 200) & PLACE
            rest = rest << 64
            assert number < applications, "unknown application"

            wanted: uint256 = base | (number >> 3)
            if wanted != lane_key:
                if lane_key != base | U32:
                    self.lanes[lane_key] = lane_word
                lane_key = wanted
                lane_word = self.lanes[wanted]
            offset: uint256 = (number & 7) << 5
            before: uint256 = (lane_word >> offset) & 15
            cell: uint256 = (before << 4) | after
            assert (allowed >> cell) & 1 != 0, "illegal transition"

            if (MOVES >> cell) & 1 == 0:
                assert place == 0, "site not expected"
                lane_word = lane_word ^ ((before ^ after) << offset)
            else:
                # The application's lane before the change, and after it.
                lane: uint256 = (lane_word >> offset) & U32
                changed: uint256 = after
                gives: bool = (HOLDS >> after) & 1 != 0
                width: uint256 = place >> 24
                site: uint256 = place & U24
                if gives:
                    assert width != 0 and site != 0 and unsafe_add(site, width) <= site_limit, "bad site"
                    changed = after | (width << 4) | (site << 8)
                else:
                    assert place == 0, "site not expected"
                    width = (lane >> 4) & 15
                    site = lane >> 8
                lane_word = lane_word ^ ((lane ^ changed) << offset)
                for _k: uint256 in range(15):
                    if width == 0:
                        break
                    wanted = base | (site >> 8)
                    if wanted != site_key:
                        if site_key != base | U32:
                            self.taken[site_key] = site_word
                        site_key = wanted
                        site_word = self.taken[wanted]
                    bit: uint256 = 1 << (site & 255)
                    if gives:
                        assert site_word & bit == 0, "site taken"
                    site_word = site_word ^ bit
                    site = unsafe_add(site, 1)
                    width = unsafe_sub(width, 1)

    self.lanes[lane_key] = lane_word
    if site_key != base | U32:
        self.taken[site_key] = site_word
    head: bytes32 = self._advance(key, keccak256(abi_encode(KIND_RECORD, seq, msg.sender, words)))
    self.states[key] = state + 1
    log Recorded(season=season, seq=seq, actor=msg.sender, head=head, words=words)


@external
def close_season(season: uint32, seq: uint256):
    """
    @notice Close a season for good.
    """
    key: uint256 = convert(season, uint256)
    state: uint256 = self._begin(key, seq)
    assert self.rights[msg.sender] & MAY_CLOSE != 0, "no right"
    head: bytes32 = self._advance(key, keccak256(abi_encode(KIND_CLOSE, seq, msg.sender)))
    self.states[key] = (state + 1) | FLAG_CLOSED
    log SeasonClosed(season=season, seq=seq, actor=msg.sender, head=head)


@view
@external
def season_state(season: uint32) -> (uint256, bytes32, uint256, uint256, bool, bool):
    """
    @return Next sequence number (0: never opened), head, applications, sites, inputs fixed, closed.
    """
    key: uint256 = convert(season, uint256)
    state: uint256 = self.states[key]
    return (
        state & U64,
        self.heads[key],
        (state >> 64) & U32,
        (state >> 96) & U32,
        state & FLAG_INPUTS != 0,
        state & FLAG_CLOSED != 0,
    )


@view
@external
def application_state(season: uint32, number: uint256) -> (uint256, uint256, uint256):
    """
    @return Status, width and first site of an application; zeros where there is none.
    """
    if number == 0 or number >= 2**24:
        return (0, 0, 0)
    word: uint256 = self.lanes[(convert(season, uint256) << 32) | ((number - 1) >> 3)]
    lane: uint256 = (word >> (((number - 1) & 7) << 5)) & U32
    return (lane & 15, (lane >> 4) & 15, lane >> 8)


@view
@external
def site_taken(season: uint32, site: uint256) -> bool:
    """
    @return Whether an application holds the site.
    """
    if site >= 2**24:
        return False
    return (self.taken[(convert(season, uint256) << 32) | (site >> 8)] >> (site & 255)) & 1 == 1


@internal
@view
def _begin(key: uint256, seq: uint256) -> uint256:
    """
    @dev The season's state, if this call is its next one.
    """
    state: uint256 = self.states[key]
    assert not self.paused, "paused"
    assert state & FLAG_OPEN != 0, "not open"
    assert state & FLAG_CLOSED == 0, "closed"
    assert state & U64 == seq, "out of sequence"
    return state


@internal
def _advance(key: uint256, payload: bytes32) -> bytes32:
    """
    @dev Move the head over a payload.
    """
    head: bytes32 = keccak256(concat(self.heads[key], payload))
    self.heads[key] = head
    return head
