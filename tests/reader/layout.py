"""Bytes to values: everything of docs/FORMAT.md that has a fixed place.

Functions raise Malformed where bytes are not what they must be, and Unknown
where they are sound but of a newer version.
"""
import collections
import struct

from borrowed import crc32c
from damage import Malformed, Unknown

W = 4096
FORMAT = 1

CREATED, SAVED, TRANSITIONED, UPDATED, APPENDED, FAILED, FORKED, MIGRATED, \
    RESTORED, DELETED = range(1, 11)
NONE, WHOLE, DELTA, MERGE, ASSIGN, PATCH, CUSTOM = range(1, 8)

Key = collections.namedtuple("Key", "ns id")  # id: bytes


class Cursor:
    """Takes values off the front of bytes."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    @property
    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if count > self.left:
            raise Malformed(f"{count} bytes where {self.left} are left")
        self.at += count
        return self.data[self.at - count:self.at]

    def rest(self):
        return self.take(self.left)

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return int.from_bytes(self.take(4), "little")

    def u64(self):
        return int.from_bytes(self.take(8), "little")

    def i64(self):
        return int.from_bytes(self.take(8), "little", signed=True)

    def varint(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if value >> 64 or (shift > 0 and byte == 0):
            raise Malformed("a varint that is no shortest u64")
        return value

    def signed(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def sized(self, least=0, most=1 << 32):
        count = self.varint()
        if not least <= count <= most:
            raise Malformed(f"a length of {count}")
        return self.take(count)


def wrap(number):
    """A sum of i64, as i64."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def is_zeros(data):
    return data.count(0) == len(data)


# Blocks that begin with a magic and a CRC: super and segment headers.


def _block(kind, magic, layout, block, reserved):
    """A block's fields; None when it is not there, or not sound."""
    size = struct.calcsize(layout)
    if len(block) < W or block[:4] != magic or \
            crc32c(block[8:size]) != int.from_bytes(block[4:8], "little"):
        return None
    fields = kind._make(struct.unpack(layout, block[:size])[2:])
    if fields.format != FORMAT:
        raise Unknown(f"format {fields.format}")
    if not is_zeros(block[size:]):
        return None
    if any(getattr(fields, name) & ~known for name, known in reserved):
        raise Unknown("flags")
    return fields


Super = collections.namedtuple(
    "Super", "format live generation mark uuid spare0 spare1 clean_file "
             "reserved clean_end clean_position")
SegmentHeader = collections.namedtuple(
    "SegmentHeader", "format file uuid salt first_position capacity "
                     "predecessor flags predecessor_end copied_end reserved")
RECOVERY = 1


def read_super(block):
    return _block(Super, b"STSU", "<4sIIIQQ16sIIIIQQ", block,
                  [("reserved", 0)])


def read_segment_header(block):
    return _block(SegmentHeader, b"STSG", "<4sIII16sQQQIIQQQ", block,
                  [("flags", RECOVERY), ("reserved", 0)])


# Frames.

_FRAME = struct.Struct("<4sIQIIIIQQqII")
_FrameHeader = collections.namedtuple(
    "FrameHeader", "magic crc salt file length events previous_crc "
                   "first_position durable recorded since_first flags")


class Frame:
    """A frame that is sound in itself: header, records and zeros."""

    def __init__(self, header, offset, records):
        self.header = header
        self.offset = offset
        self.records = records  # (offset, bytes) of each


def peek_frame(data, at, limit):
    """The header of what may be a frame, or None."""
    if at + W > limit:
        return None
    header = _FrameHeader._make(_FRAME.unpack_from(data, at))
    most = (header.length - _FRAME.size) // 16
    if header.magic != b"STFR" or header.flags != 0 or \
            header.length == 0 or header.length % W != 0 or \
            header.length > limit - at or \
            header.since_first > header.first_position or \
            not 0 < header.events <= most:
        return None
    return header


def read_frame(data, at, limit):
    """The frame at an offset, or None when there is no sound one."""
    header = peek_frame(data, at, limit)
    if header is None:
        return None
    crc = crc32c(data[at + 8:at + _FRAME.size])
    here, end = at + _FRAME.size, at + header.length
    records = []
    for _ in range(header.events):
        try:
            record = sound_record(data[here:end])
        except Malformed:
            return None
        crc = crc32c(record[:4], crc)
        records.append((here, record))
        here += len(record)
    if crc != header.crc or not is_zeros(data[here:end]):
        return None
    return Frame(header, at, records)


# Records.

BASE, PHASE_CHANGE, HAS_OCCURRED_MAX, HAS_FROM, BATCH_FIRST, BATCH_LAST = (
    1 << n for n in range(6))
_FLAGS_KNOWN = (1 << 6) - 1
_PACKED = 0x10
_ID_BYTES_MAX = 518
_NAME_BYTES_MAX = 255


class Record:
    """One event as the log has it; a field that is not there is None."""

    key = None            # Key
    check = raw_bytes = idempotency = event_id = metadata = None
    state_type = version = to = action = actor = type = None
    correlation = causation = duration_ns = error = None
    reducer = base_state = base_name = created_at = None
    machine_metadata = parent = None
    base_type = base_version = base_metadata = None
    dropped = erased = salt = None  # what settling left
    occurred_max_over = 0
    origin = None         # from: the state's name before
    # What the record does not say by itself; set by who placed it.
    position = recorded = offset = file = None

    def has(self, flag):
        return self.flags & flag != 0

    @property
    def is_whole(self):
        """Is there something to fold?"""
        return self.dropped is None and self.erased is None

    @property
    def occurred(self):
        return wrap(self.recorded + self.occurred_delta)

    @property
    def occurred_max(self):
        return wrap(self.occurred + self.occurred_max_over)

    @property
    def previous_position(self):
        """Of the lineage's record before this one; 0: none."""
        return self.position - self.back if self.back else 0

    @property
    def previous_key(self):
        return self.parent[1] if self.parent else self.key


Idempotency = collections.namedtuple("Idempotency", "hash check")
BaseState = collections.namedtuple("BaseState", "is_packed raw_bytes data")


def _idempotency(cursor):
    return Idempotency(cursor.take(16), cursor.u64())


def _reducer(cursor):
    version = cursor.varint()
    if version >= 1 << 32:
        raise Malformed("the version of a reducer")
    return version, cursor.rest()


def _base_state(cursor):
    packed = cursor.u8()
    state = BaseState(packed == 1, cursor.varint(), cursor.rest())
    if packed > 1 or (not packed and state.raw_bytes != len(state.data)):
        raise Malformed("the state of a base")
    return state


def _parent(cursor):
    seq = cursor.varint()
    key = Key(cursor.u8(), cursor.rest())
    if seq == 0 or not 0 < len(key.id) <= _ID_BYTES_MAX:
        raise Malformed("a parent")
    return seq, key


def _of_bytes(*sizes):
    def read(cursor):
        value = cursor.rest()
        if len(value) not in sizes:
            raise Malformed("what settling left of a record")
        return value
    return read


# number: (field, is it critical, how to read its value)
_TAGS = {
    1: ("check", False, Cursor.u64),
    2: ("raw_bytes", True, Cursor.varint),
    3: ("idempotency", False, _idempotency),
    4: ("event_id", False, Cursor.rest),
    5: ("metadata", False, Cursor.rest),
    6: ("state_type", False, Cursor.rest),
    7: ("version", False, Cursor.rest),
    8: ("to", False, Cursor.rest),
    9: ("action", False, Cursor.rest),
    10: ("actor", False, Cursor.rest),
    11: ("type", False, Cursor.u8),
    12: ("correlation", False, Cursor.rest),
    13: ("causation", False, Cursor.rest),
    14: ("duration_ns", False, Cursor.varint),
    15: ("error", False, Cursor.rest),
    16: ("reducer", True, _reducer),
    19: ("base_state", True, _base_state),
    20: ("base_name", False, Cursor.rest),
    21: ("created_at", False, Cursor.i64),
    22: ("machine_metadata", False, Cursor.rest),
    23: ("parent", True, _parent),
    25: ("base_type", True, Cursor.rest),
    26: ("base_version", True, Cursor.rest),
    27: ("base_metadata", True, Cursor.rest),
    28: ("dropped", True, _of_bytes(0, 32)),
    29: ("erased", True, _of_bytes(32)),
    30: ("salt", False, _of_bytes(16)),
}


def _read_head(cursor, record):
    """The head, whatever it means: where it ends decides the checksum."""
    record.kind = cursor.u8()
    record.flags = cursor.u8()
    form = cursor.u8()
    record.form = form & ~_PACKED
    record.is_packed = form & _PACKED != 0
    ns = cursor.u8()
    record.key = Key(ns, cursor.sized(1, _ID_BYTES_MAX))
    record.seq = cursor.varint()
    record.back = cursor.varint()
    record.depth = cursor.varint()
    record.occurred_delta = cursor.signed()
    if record.has(HAS_OCCURRED_MAX):
        record.occurred_max_over = cursor.varint()
        if record.occurred_max_over == 0:
            raise Malformed("an occurred maximum that need not be said")
    if record.has(HAS_FROM):
        record.origin = cursor.sized(1, _NAME_BYTES_MAX)


def _split(data):
    """Where length, head and tail begin and the record ends, and the head."""
    cursor = Cursor(data)
    cursor.take(4)
    size = cursor.varint()
    end = cursor.at + size
    if size > cursor.left:
        raise Malformed("the length of a record")
    cursor.data = data[:end]
    record = Record()
    _read_head(cursor, record)
    return cursor, record


def sound_record(data):
    """The bytes of the record at the front, checked by their CRC alone."""
    cursor, _ = _split(data)
    crc = crc32c(cursor.data[4:cursor.at], crc32c(cursor.data[cursor.at:]))
    if crc != int.from_bytes(data[:4], "little"):
        raise Malformed("the checksum of a record")
    return cursor.data


def _read_tags(cursor, record):
    last = 0
    while (code := cursor.varint()) != 0:
        number, is_critical = code >> 1, code & 1 == 1
        if number <= last:
            raise Malformed("the order of tags")
        last = number
        value = Cursor(cursor.sized())
        if number not in _TAGS:
            if is_critical:
                raise Unknown(f"critical tag {number}")
            continue
        field, must_be_critical, read = _TAGS[number]
        if is_critical != must_be_critical:
            raise Malformed(f"tag {number}")
        setattr(record, field, read(value))
        if value.left > 0:
            raise Malformed(f"tag {number}")


def parse_record(data):
    """A record of known soundness, taken apart."""
    cursor, record = _split(data)
    if record.flags & ~_FLAGS_KNOWN or not CREATED <= record.kind <= DELETED \
            or not NONE <= record.form <= CUSTOM \
            or record.is_packed and record.form not in (WHOLE, DELTA):
        raise Unknown("flags, kind or body form")
    _read_tags(cursor, record)
    record.body = cursor.rest()
    if record.type is not None and not 1 <= record.type <= 5:
        raise Unknown("transition type")
    names = (record.to, record.action, record.base_name)
    for is_wrong, what in (
            (record.seq == 0, "seq 0"),
            (record.has(BASE) and record.depth != 0, "depth in a base"),
            (record.base_state and not record.has(BASE),
             "a base's state but no base"),
            (any(n and len(n) > _NAME_BYTES_MAX for n in names),
             "a name that is too long"),
            (record.is_packed != (record.raw_bytes is not None),
             "a size unpacked that does not fit its form"),
            (record.form == DELTA and not record.is_packed,
             "an unpacked delta"),
            (not record.is_whole and (record.has(BASE) or record.body),
             "a state that was taken from it"),
            (record.dropped is not None
             and record.seq + record.depth >= 2**64 - 1,
             "more dropped behind it than there are seqs")):
        if is_wrong:
            raise Malformed(f"record with {what}")
    return record


# Index blocks.

SLOTS, LISTS, DIRECTORY, FENCES, FILTER, TIMES, KEYS, TRAILER, BLOCKS = \
    range(1, 10)
SECTIONS = range(SLOTS, TRAILER)
PAYLOAD = W - 8
# Bytes of an entry, where a section's blocks are full of entries of one size.
ENTRY_BYTES = {SLOTS: 8, LISTS: 4, FILTER: 64, TIMES: 16, KEYS: 32,
               BLOCKS: 8}

Section = collections.namedtuple("Section", "first_block blocks entries")
_Trailer = collections.namedtuple(
    "Trailer", "magic format number file uuid salt first_position "
               "end_position end_offset state_bytes first_recorded "
               "last_recorded last_frame_crc frames sections part level")
_TRAILER = struct.Struct("<4sIII16sQQQQQqqII")


class Trailer(_Trailer):
    """`sections`: Section by number; `level`: of a merged index, else 0."""

    def section(self, number):
        return self.sections[number]


# What the trailer of a set says besides; `part` of a segment's is None.
SetPart = collections.namedtuple(
    "SetPart", "first_file last_file last_end predecessor reserved "
               "predecessor_end raw_bytes times_bytes seed")
_SET_PART = struct.Struct("<IIQIIQII32s")


def read_index_block(block, section, number, salt):
    """The payload of a block that must be the one asked for."""
    crc = crc32c(salt.to_bytes(8, "little") + number.to_bytes(4, "little"))
    used = int.from_bytes(block[6:8], "little")
    if crc32c(block[4:], crc) != int.from_bytes(block[:4], "little"):
        raise Malformed(f"checksum of index block {number}")
    if block[4:6] != section.to_bytes(2, "little") or used > PAYLOAD:
        raise Malformed(f"index block {number} is not of section {section}")
    if not is_zeros(block[8 + used:]):
        raise Malformed(f"padding of index block {number}")
    return block[8:8 + used]


def _is_sane_set(trailer):
    part = trailer.part
    return (0 < part.first_file <= part.last_file < trailer.file and
            part.predecessor < part.first_file and
            part.last_end % W == 0 and part.reserved == 0 and
            trailer.section(BLOCKS).entries >= 2 and
            part.times_bytes < part.raw_bytes < (1 << 32) - 1)


def _has_sane_sections(trailer):
    due = 0
    for section, s in trailer.sections.items():
        if section in ENTRY_BYTES:
            per_block = PAYLOAD // ENTRY_BYTES[section]
            if s.blocks != -(-s.entries // per_block):
                return False
        if s.first_block != due:
            return False
        due += s.blocks
    slots, lists, directory, fences, bloom, times = (
        trailer.section(n) for n in range(SLOTS, KEYS))
    records = trailer.end_position - trailer.first_position
    is_merged = trailer.level > 0
    return (due == trailer.number and
            0 < trailer.first_position < trailer.end_position and
            slots.entries == (0 if is_merged else records) and
            lists.entries <= slots.entries and
            fences.entries == directory.blocks and
            bloom.entries > 0 and
            times.entries == (0 if trailer.part else trailer.frames) and
            (trailer.frames == 0 if is_merged else
             0 < trailer.frames <= slots.entries) and
            trailer.end_offset % W == 0 and
            (not is_merged or not any((trailer.end_offset,
                                       trailer.state_bytes,
                                       trailer.first_recorded,
                                       trailer.last_recorded))) and
            (trailer.part is None or _is_sane_set(trailer)))


# By magic: sections, bytes up to the end.
_KINDS = {b"STIX": ([*SECTIONS], 216), b"STST": ([*SECTIONS, BLOCKS], 304),
          b"STMI": ([*SECTIONS], 224)}


def read_trailer(block):
    """A file's last block as a trailer; None when it is no sound one."""
    if len(block) < W or block[4:6] != TRAILER.to_bytes(2, "little") or \
            block[8:12] not in _KINDS:
        return None
    fields = _TRAILER.unpack_from(block, 8)
    magic = fields[0]
    numbers, end = _KINDS[magic]
    sections = {n: Section._make(struct.unpack_from("<IIQ", block,
                                                    104 + 16 * i))
                for i, n in enumerate(numbers)}
    part = SetPart._make(_SET_PART.unpack_from(block, 232)) \
        if magic == b"STST" else None
    level = int.from_bytes(block[216:220], "little") if magic == b"STMI" else 0
    trailer = Trailer(*fields, sections, part, level)
    try:
        payload = read_index_block(block, TRAILER, trailer.number,
                                   trailer.salt)
    except Malformed:
        return None
    if trailer.format != FORMAT:
        raise Unknown(f"trailer of format {trailer.format}")
    is_merged = magic == b"STMI"
    if len(payload) != end - 8 or is_merged and level == 0 or \
            is_merged and any(block[220:224]) or \
            not _has_sane_sections(trailer):
        return None
    return trailer


# Directory entries.

RUN_DELETED, RUN_MANY, RUN_NAME, RUN_PREVIOUS, RUN_PREVIOUS_KEY, RUN_JUMP, \
    RUN_JUMP_KEY, RUN_CHAIN = (1 << n for n in range(8))

Point = collections.namedtuple("Point", "position seq occurred_max")
# previous: (position, Key); jump: (Point, Key); None where there is none.
Run = collections.namedtuple(
    "Run", "key first last count list is_deleted name previous jump chain")


def _key(cursor):
    return Key(cursor.u8(), cursor.sized(1, _ID_BYTES_MAX))


def _read_jump(cursor, first, key, flags):
    point = Point(first.position - cursor.varint(),
                  first.seq - cursor.varint(),
                  wrap(first.occurred_max - cursor.signed()))
    if flags & RUN_JUMP_KEY:
        key = _key(cursor)
    if not (0 < point.position < first.position and
            0 < point.seq < first.seq):
        raise Malformed("a jump that does not lead down")
    return point, key


def read_run(cursor, trailer):
    """One entry of a directory."""
    key = _key(cursor)
    flags = cursor.u8()
    first = last = Point(trailer.first_position + cursor.varint(),
                         cursor.varint(),
                         wrap(trailer.first_recorded + cursor.signed()))
    count, at, name, previous, jump = 1, None, None, None, None
    if flags & RUN_MANY:
        count = cursor.varint() + 2
        last = Point(first.position + cursor.varint(), first.seq + count - 1,
                     wrap(first.occurred_max + cursor.signed()))
        at = cursor.varint()
    if flags & RUN_NAME:
        name = cursor.take(cursor.u8())
    if flags & RUN_PREVIOUS:
        previous = first.position - cursor.varint(), \
            _key(cursor) if flags & RUN_PREVIOUS_KEY else key
    if flags & RUN_JUMP:
        jump = _read_jump(cursor, first, key, flags)
    if (flags & RUN_CHAIN != 0) != (trailer.part is not None):
        raise Malformed("flags of a run")
    chain = cursor.take(32) if flags & RUN_CHAIN else None
    return Run(key, first, last, count, at, flags & RUN_DELETED != 0, name,
               previous, jump, chain)
