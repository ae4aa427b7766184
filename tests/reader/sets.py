"""A set: the records of some segments, by machine, packed.

docs/FORMAT.md, section "Set".
"""
import hashlib
import types

import layout
from borrowed import crc32c, unpack
from damage import Damage, Malformed, Unknown
from layout import BLOCKS, W


SEED = 1  # kind of a note
HEAD = 512  # bytes in front of the blocks
BLOCK_HEADER = 20


class Set:
    """A file N.set: its bytes, and what is found in them."""

    frames = ()  # has none

    def __init__(self, folder, number):
        self.number = number
        self.name = f"{number}.set"
        self.data = folder.read(self.name)
        self.trailer = None  # that is believed, else None

    def damage(self, offset, what):
        return Damage(self.name, offset, what)

    @property
    def part(self):
        return self.trailer.part

    @property
    def header(self):
        """Its place in the chain."""
        return types.SimpleNamespace(
            first_position=self.trailer.first_position,
            predecessor=self.part.predecessor,
            predecessor_end=self.part.predecessor_end)

    @property
    def end(self):
        return self.trailer.end_offset

    @property
    def end_position(self):
        return self.trailer.end_position

    def check_head(self):
        """It says what the trailer says."""
        head, t, part = layout.Cursor(self.data[:HEAD]), self.trailer, self.part
        if head.take(4) != b"STSH" or \
                head.u32() != crc32c(self.data[8:HEAD]):
            raise self.damage(0, "the checksum of the head")
        told = (head.u32(), head.u32(), head.take(16), head.u64(), head.u64(),
                head.u64(), head.i64(), head.i64(), head.u32(), head.u32(),
                head.u32(), head.u32(), head.u64(), head.u32(), head.u32(),
                head.u64())
        due = (1, self.number, t.uuid, t.salt, t.first_position,
               t.end_position, t.first_recorded, t.last_recorded, t.frames,
               part.times_bytes, part.first_file, part.last_file,
               part.last_end, part.predecessor, 0, part.predecessor_end)
        if told != due or not layout.is_zeros(self.data[112:HEAD]):
            raise self.damage(0, "the head")

    # Content.

    def pieces(self):
        """(raw offset, offset) of each block, and of their end."""
        span = self.trailer.section(BLOCKS)
        joined = b""
        for number in range(span.first_block, span.first_block + span.blocks):
            at = self.end + number * W
            try:
                joined += layout.read_index_block(
                    self.data[at:at + W], BLOCKS, number, self.trailer.salt)
            except Malformed as error:
                raise self.damage(at, error) from None
        if len(joined) != 8 * span.entries:
            raise self.damage(self.end, "the entries of the blocks")
        cursor = layout.Cursor(joined)
        return [(cursor.u32(), cursor.u32())
                for _ in range(span.entries)]

    def blocks(self):
        """(raw offset, offset, content) of each block."""
        pieces = self.pieces()
        if pieces[0] != (0, HEAD) or pieces[-1][0] != self.part.raw_bytes:
            raise self.damage(self.end, "the ends of the blocks")
        for (raw, at), (raw_end, end) in zip(pieces, pieces[1:]):
            header = layout.Cursor(self.data[at:at + BLOCK_HEADER])
            magic, crc = header.take(4), header.u32()
            data = self.data[at + BLOCK_HEADER:end]
            salt = crc32c(self.trailer.salt.to_bytes(8, "little"))
            if magic != b"STBL" or \
                    crc32c(self.data[at + 8:end], salt) != crc or \
                    (header.u32(), header.u32(), header.u32()) != \
                    (raw, len(data), raw_end - raw) or \
                    not 0 < len(data) <= raw_end - raw:
                raise self.damage(at, "the checksum of a block")
            try:
                yield raw, at, data if len(data) == raw_end - raw else \
                    unpack(data, raw_end - raw)
            except Malformed as error:
                raise self.damage(at, error) from None
        if not layout.is_zeros(self.data[pieces[-1][1]:self.end]):
            raise self.damage(pieces[-1][1], "padding of the blocks")

    def records(self):
        """Every record, by position; each knows its place in the content."""
        found = {}
        stamps = []
        self.seeds = [(0, self.part.seed)]  # (first slot, seed), rising
        for raw, at, content in self.blocks():
            cursor = layout.Cursor(content)
            try:
                while cursor.left > 0:
                    if raw + cursor.at < self.part.times_bytes:
                        self._take_time(cursor, stamps)
                    else:
                        self._take_record(cursor, raw, at, stamps, found)
            except Malformed as error:
                raise self.damage(at, error) from None
        if self.seeds[-1][0] >= len(stamps):
            raise self.damage(0, "a seed of no record")
        count = self.trailer.end_position - self.trailer.first_position
        if len(stamps) != count or len(found) != count:
            raise self.damage(0, "records or times are missing")
        for slot in range(count):
            yield found[slot]

    def _take_time(self, cursor, stamps):
        records = cursor.varint()
        before = stamps[-1] if stamps else self.trailer.first_recorded
        stamps.extend([layout.wrap(before + cursor.varint())] * records)

    def _take_record(self, cursor, raw, at, stamps, found):
        code = cursor.varint()
        if code == 0:
            self._take_note(cursor, found)
            return
        begin = cursor.at
        data = layout.sound_record(cursor.data[begin:])
        cursor.take(len(data))
        record = layout.parse_record(data)
        slot = code - 1
        if slot in found or slot >= len(stamps):
            raise Malformed("a slot that is not its own")
        record.file, record.offset = self, at
        record.position = self.trailer.first_position + slot
        record.recorded = stamps[slot]
        record.raw_offset, record.data = raw + begin, data
        found[slot] = record

    def _take_note(self, cursor, found):
        if cursor.varint() != SEED:
            raise Unknown("an item of another kind")
        slot, seed = cursor.varint(), cursor.take(32)
        if found or slot <= self.seeds[-1][0]:
            raise Malformed("a seed that is not in its place")
        self.seeds.append((slot, seed))

    # Hash chain.

    def _seed(self, record):
        slot = record.position - self.trailer.first_position
        return next(seed for first, seed in reversed(self.seeds)
                    if first <= slot)

    def chain(self, before, records):
        """The value after a machine's records, which are this set's."""
        ns, name = records[0].key
        for record in records:
            if record.dropped is not None:
                before = record.dropped or None  # unknown within a stretch
                continue
            seed = _hash(self._seed(record), bytes([ns]), name)
            leaf = _hash(_leaf_header(record), _commitment(seed, record))
            before = _hash(before, leaf)
        return before


# Tags that settling may add or take.
_NOT_IN_LEAF = (1, 19, 20, 21, 25, 26, 27, 28, 29, 30)


def _hash(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _commitment(seed, record):
    if record.erased is not None:
        return record.erased
    salt = record.salt or _hash(seed, record.seq.to_bytes(8, "little"))[:16]
    return _hash(salt, record.body)


def _leaf_header(record):
    cursor = layout.Cursor(record.data)
    cursor.take(4)
    cursor.varint()
    fixed = bytearray(cursor.take(4))
    fixed[1] &= ~layout.BASE & 0xFF
    cursor.take(cursor.varint())
    for _ in ("seq", "back", "depth"):
        cursor.varint()
    begin = cursor.at
    cursor.signed()
    if record.has(layout.HAS_OCCURRED_MAX):
        cursor.varint()
    if record.has(layout.HAS_FROM):
        cursor.take(cursor.varint())
    told = record.data[begin:cursor.at]
    tags = b""
    begin = cursor.at
    while (code := cursor.varint()) != 0:
        cursor.take(cursor.varint())
        if code >> 1 not in _NOT_IN_LEAF:
            tags += record.data[begin:cursor.at]
        begin = cursor.at
    return b"".join((
        fixed, _varint(len(record.key.id)), record.key.id,
        _varint(record.seq), record.position.to_bytes(8, "little"),
        record.recorded.to_bytes(8, "little", signed=True), told, tags))
