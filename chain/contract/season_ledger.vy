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
     repeated or changed shows. The administration (rights, pauses, who is administrator) has such a sequence of its
     own, and every call of a season states how far it had come, so that the rights of that moment are fixed too.
     It holds no names, no tax numbers, and no function that overwrites a status: the only correction is another
     transition. Neither the administrator nor any right that can be granted reaches further.
"""

# --- generated from fairalloc/status.py by chain/contract/build.py: begin ---
LEGAL: constant(uint256) = 110429626699808137744887020787619858420581227853010674446955361145192450
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
KIND_GRANT: constant(uint256) = 5
KIND_PROPOSE: constant(uint256) = 6
KIND_ACCEPT: constant(uint256) = 7
KIND_PAUSE: constant(uint256) = 8

TOPIC_INPUTS: constant(uint256) = 1
SUBMITTED: constant(uint256) = 1
SUBMIT_RIGHT: constant(uint256) = 1 << SUBMITTED
# The status SUBMITTED (1) in each of a word's eight lanes.
EIGHT_SUBMITTED: constant(uint256) = max_value(uint256) // (2**32 - 1)

# A season's state in one word: next seq (64 bits; never 0 once the season is open), applications (32), sites (32),
# whether the inputs are fixed (1), and above that whether it is closed.
FLAG_INPUTS: constant(uint256) = 1 << 128
FLAG_CLOSED: constant(uint256) = 1 << 129
# The administration's state in one word: whether everything is paused (the lowest bit), and its next seq above that,
# so that a season's call reads both at once.
PAUSED: constant(uint256) = 1
U24: constant(uint256) = 2**24 - 1
U32: constant(uint256) = 2**32 - 1
U64: constant(uint256) = 2**64 - 1
# Width and first site, as they stand side by side in a record.
PLACE: constant(uint256) = 2**28 - 1

# The most that one call takes: 1,024 applications. The memory set aside for it costs gas even where less is given.
MAX_SUBMIT: constant(uint256) = 1024
MAX_WORDS: constant(uint256) = 256
MAX_VIEW: constant(uint256) = 1024

# Every event carries what its call's payload holds, so that the logs alone lead to the heads and to everything that
# the contract holds. In all of a season's events: `seq` is the call's number in the season (opening is call 0),
# `admin_calls` how many calls the administration had made before it, `actor` the key that made it, `head` the
# season's head after it.

# A season begins: the hash of its rules, and how many sites it has, numbered from 1.
event SeasonOpened:
    season: indexed(uint32)
    admin_calls: uint256
    actor: address
    rules_hash: bytes32
    site_count: uint256
    head: bytes32

# Applications are registered, the first of them under the number `first`, each by its commitment.
event Submitted:
    season: indexed(uint32)
    seq: uint256
    admin_calls: uint256
    actor: address
    first: uint256
    head: bytes32
    commitments: DynArray[bytes32, MAX_SUBMIT]

# A digest of published data is fixed.
event Committed:
    season: indexed(uint32)
    seq: uint256
    admin_calls: uint256
    actor: address
    topic: uint256
    digest: bytes32
    head: bytes32

# Applications change their status: the records of `record`, as they were given.
event Recorded:
    season: indexed(uint32)
    seq: uint256
    admin_calls: uint256
    actor: address
    head: bytes32
    words: DynArray[uint256, MAX_WORDS]

# A season ends for good.
event SeasonClosed:
    season: indexed(uint32)
    seq: uint256
    admin_calls: uint256
    actor: address
    head: bytes32

# In all events of the administration: `seq` is the call's number among those of the administration (the deployment
# is call 0), `head` the administration's head after it.

# From here on a key has these rights and no others.
event RightsSet:
    key: indexed(address)
    seq: uint256
    actor: address
    mask: uint256
    head: bytes32

# The administrator offers the administration to a candidate; the zero address takes an offer back.
event AdminProposed:
    candidate: indexed(address)
    seq: uint256
    actor: address
    head: bytes32

# A candidate has accepted and is the administrator now; the first one is the key that deployed.
event AdminChanged:
    admin: indexed(address)
    seq: uint256
    head: bytes32

# All writing to all seasons stops, or goes on.
event PausedSet:
    seq: uint256
    actor: address
    paused: bool
    head: bytes32

admin: public(address)
proposed_admin: public(address)
rights: public(HashMap[address, uint256])

administration: uint256
administration_head: bytes32
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
    head: bytes32 = keccak256(abi_encode(chain.id, self, msg.sender))
    self.admin = msg.sender
    self.administration_head = head
    self.administration = 1 << 1
    log AdminChanged(admin=msg.sender, seq=0, head=head)


@external
def grant(key: address, mask: uint256):
    """
    @notice Set the rights of a key, in place of those that it had. Only the administrator may.
    @param key The key's address.
    @param mask Bit 16 * before + after for each transition that the key may write (0, 1 is submission); the cells
                (n, 0) for opening (n = 0), committing (1), closing (2) and pausing (3).
    """
    assert msg.sender == self.admin, "not admin"
    assert mask & ~GRANTABLE == 0, "illegal mask"
    self.rights[key] = mask
    seq: uint256 = self.administration >> 1
    head: bytes32 = self._administer(seq, KIND_GRANT, key, mask)
    log RightsSet(key=key, seq=seq, actor=msg.sender, mask=mask, head=head)


@external
def propose_admin(candidate: address):
    """
    @notice First step of handing over the administration; nothing changes until the candidate accepts. Only the
            administrator may.
    @param candidate The address that may accept; a new proposal replaces the one before, the zero address ends it.
    """
    assert msg.sender == self.admin, "not admin"
    self.proposed_admin = candidate
    seq: uint256 = self.administration >> 1
    head: bytes32 = self._administer(seq, KIND_PROPOSE, candidate, 0)
    log AdminProposed(candidate=candidate, seq=seq, actor=msg.sender, head=head)


@external
def accept_admin():
    """
    @notice Second step of handing over the administration, by the candidate. Rights stay with the keys that have them.
    """
    assert msg.sender == self.proposed_admin and msg.sender != empty(address), "not proposed"
    self.admin = msg.sender
    self.proposed_admin = empty(address)
    seq: uint256 = self.administration >> 1
    head: bytes32 = self._administer(seq, KIND_ACCEPT, msg.sender, 0)
    log AdminChanged(admin=msg.sender, seq=seq, head=head)


@external
def set_paused(paused: bool):
    """
    @notice Stop or resume all writing to all seasons. Needs the right to pause; the administration itself goes on.
    @param paused Whether nothing may be written from here on.
    """
    assert self.rights[msg.sender] & MAY_PAUSE != 0, "no right"
    seq: uint256 = self.administration >> 1
    head: bytes32 = self._administer(seq, KIND_PAUSE, empty(address), convert(paused, uint256))
    self.administration = ((seq + 1) << 1) | convert(paused, uint256)
    log PausedSet(seq=seq, actor=msg.sender, paused=paused, head=head)


@external
def open_season(season: uint32, rules_hash: bytes32, site_count: uint256):
    """
    @notice Start a season: its call 0. The rules hash and the number of sites can never change afterwards.
    @param season The season's number, used once.
    @param rules_hash SHA-256 of the season's rules.
    @param site_count How many sites there are; they are numbered from 1.
    """
    key: uint256 = convert(season, uint256)
    admin_calls: uint256 = self._unpaused()
    assert self.rights[msg.sender] & MAY_OPEN != 0, "no right"
    assert self.states[key] == 0, "already open"
    assert site_count < 2**24, "too many sites"
    head: bytes32 = keccak256(abi_encode(chain.id, self, season, admin_calls, msg.sender, rules_hash, site_count))
    self.heads[key] = head
    self.states[key] = (site_count << 96) | 1
    log SeasonOpened(
        season=season,
        admin_calls=admin_calls,
        actor=msg.sender,
        rules_hash=rules_hash,
        site_count=site_count,
        head=head,
    )


@external
def submit(season: uint32, seq: uint256, commitments: DynArray[bytes32, MAX_SUBMIT]):
    """
    @notice Register applications. They get the next numbers, in this order.
    @param season The season's number.
    @param seq The call's number: the season's next one.
    @param commitments For each application SHA-256 of a secret salt and its record.
    """
    key: uint256 = convert(season, uint256)
    admin_calls: uint256 = self._unpaused()
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

    head: bytes32 = self._advance(key, keccak256(abi_encode(KIND_SUBMIT, seq, admin_calls, msg.sender, first, commitments)))
    self.states[key] = state + 1 + (count << 64)
    log Submitted(
        season=season,
        seq=seq,
        admin_calls=admin_calls,
        actor=msg.sender,
        first=first + 1,
        head=head,
        commitments=commitments,
    )


@external
def commit(season: uint32, seq: uint256, topic: uint256, digest: bytes32):
    """
    @notice Fix a digest of published data. Topic 1 fixes the inputs: before it, nothing can be allocated.
    @param season The season's number.
    @param seq The call's number: the season's next one.
    @param topic What the digest is of: 1 inputs, 2 allocation, 3 register of applications, 4 draw,
                  5 an act after the allocation, 6 what was collected; never 0.
    @param digest SHA-256 or Merkle root of what is published.
    """
    key: uint256 = convert(season, uint256)
    admin_calls: uint256 = self._unpaused()
    state: uint256 = self._begin(key, seq)
    assert self.rights[msg.sender] & MAY_COMMIT != 0, "no right"
    assert topic != 0, "no topic"
    if topic == TOPIC_INPUTS:
        state = state | FLAG_INPUTS
    head: bytes32 = self._advance(key, keccak256(abi_encode(KIND_COMMIT, seq, admin_calls, msg.sender, topic, digest)))
    self.states[key] = state + 1
    log Committed(
        season=season,
        seq=seq,
        admin_calls=admin_calls,
        actor=msg.sender,
        topic=topic,
        digest=digest,
        head=head,
    )


@external
def record(season: uint32, seq: uint256, words: DynArray[uint256, MAX_WORDS]):
    """
    @notice Change the status of applications, all of them or none.
    @param season The season's number.
    @param seq The call's number: the season's next one.
    @param words Four records to a word, the first in the highest bits: application (24 bits), status (4), width (4),
                 first site (24), reason (8). Width and site stand only where a site is given. A record of zero is
                 padding, and everything after it in its word must be zero too.
    """
    key: uint256 = convert(season, uint256)
    admin_calls: uint256 = self._unpaused()
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
    head: bytes32 = self._advance(key, keccak256(abi_encode(KIND_RECORD, seq, admin_calls, msg.sender, words)))
    self.states[key] = state + 1
    log Recorded(season=season, seq=seq, admin_calls=admin_calls, actor=msg.sender, head=head, words=words)


@external
def close_season(season: uint32, seq: uint256):
    """
    @notice Close a season for good.
    @param season The season's number.
    @param seq The call's number: the season's next one.
    """
    key: uint256 = convert(season, uint256)
    admin_calls: uint256 = self._unpaused()
    state: uint256 = self._begin(key, seq)
    assert self.rights[msg.sender] & MAY_CLOSE != 0, "no right"
    head: bytes32 = self._advance(key, keccak256(abi_encode(KIND_CLOSE, seq, admin_calls, msg.sender)))
    self.states[key] = (state + 1) | FLAG_CLOSED
    log SeasonClosed(season=season, seq=seq, admin_calls=admin_calls, actor=msg.sender, head=head)


@view
@external
def paused() -> bool:
    """
    @notice Whether all writing to all seasons is stopped.
    @return True while it is.
    """
    return self.administration & PAUSED != 0


@view
@external
def administration_state() -> (uint256, bytes32, address, address, bool):
    """
    @notice Where the administration stands.
    @return Next sequence number of the administration's calls.
    @return The administration's head.
    @return The administrator.
    @return The candidate, or the zero address.
    @return Whether all writing to all seasons is stopped.
    """
    state: uint256 = self.administration
    return (state >> 1, self.administration_head, self.admin, self.proposed_admin, state & PAUSED != 0)


@view
@external
def season_state(season: uint32) -> (uint256, bytes32, uint256, uint256, bool, bool):
    """
    @notice Where a season stands.
    @param season The season's number.
    @return Next sequence number; 0 where the season was never opened.
    @return The season's head.
    @return How many applications are registered.
    @return How many sites there are.
    @return Whether the inputs are fixed.
    @return Whether the season is closed.
    """
    key: uint256 = convert(season, uint256)
    state: uint256 = self.states[key]
    return (
        state & U64,
        self.heads[key],
        (state >> 64) & U32,
        (state >> 96) & U32,
        state & FLAG_INPUTS != 0,
        state >= FLAG_CLOSED,
    )


@view
@external
def application_state(season: uint32, number: uint256) -> (uint256, uint256, uint256):
    """
    @notice Where an application stands; zeros where there is none.
    @param season The season's number.
    @param number The application's number.
    @return Its status.
    @return How many sites it holds.
    @return The first of them.
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
    @notice Whether an application holds a site.
    @param season The season's number.
    @param site The site's number.
    @return True while one does.
    """
    if site >= 2**24:
        return False
    return (self.taken[(convert(season, uint256) << 32) | (site >> 8)] >> (site & 255)) & 1 == 1


@view
@external
def standings(season: uint32, first_word: uint256, count: uint256) -> DynArray[uint256, MAX_VIEW]:
    """
    @notice Where many applications stand, eight to a word.
    @param season The season's number.
    @param first_word The first word wanted: word n holds the applications 8n + 1 to 8n + 8, the first in the lowest
                      32 bits, each as status (4 bits), width (4) and first site (24); zero where there is none.
    @param count How many words, at most 1024.
    @return The words in order.
    """
    assert count <= MAX_VIEW and first_word <= U24 and first_word + count <= U24, "bad count"
    base: uint256 = (convert(season, uint256) << 32) + first_word
    found: DynArray[uint256, MAX_VIEW] = []
    for place: uint256 in range(count, bound=MAX_VIEW):
        found.append(self.lanes[base + place])
    return found


@view
@external
def sites_taken(season: uint32, first_word: uint256, count: uint256) -> DynArray[uint256, MAX_VIEW]:
    """
    @notice Which of many sites are held, 256 to a word.
    @param season The season's number.
    @param first_word The first word wanted: word n holds the sites 256n to 256n + 255, the first in the lowest bit.
    @param count How many words, at most 1024.
    @return The words in order.
    """
    assert count <= MAX_VIEW and first_word <= U24 and first_word + count <= U24, "bad count"
    base: uint256 = (convert(season, uint256) << 32) + first_word
    found: DynArray[uint256, MAX_VIEW] = []
    for place: uint256 in range(count, bound=MAX_VIEW):
        found.append(self.taken[base + place])
    return found


@internal
@view
def _unpaused() -> uint256:
    """
    @dev How many calls the administration has made, if it has not stopped everything.
    """
    state: uint256 = self.administration
    assert state & PAUSED == 0, "paused"
    return state >> 1


@internal
@view
def _begin(key: uint256, seq: uint256) -> uint256:
    """
    @dev The season's state, if this call is its next one.
    """
    state: uint256 = self.states[key]
    assert state != 0, "not open"
    assert state < FLAG_CLOSED, "closed"
    assert state & U64 == seq, "out of sequence"
    return state


@internal
def _advance(key: uint256, payload: bytes32) -> bytes32:
    """
    @dev Move a season's head over a payload.
    """
    head: bytes32 = keccak256(concat(self.heads[key], payload))
    self.heads[key] = head
    return head


@internal
def _administer(seq: uint256, kind: uint256, subject: address, detail: uint256) -> bytes32:
    """
    @dev Count a call of the administration and move its head.
    """
    payload: bytes32 = keccak256(abi_encode(kind, seq, msg.sender, subject, detail))
    head: bytes32 = keccak256(concat(self.administration_head, payload))
    self.administration_head = head
    self.administration = unsafe_add(self.administration, 2)
    return head
