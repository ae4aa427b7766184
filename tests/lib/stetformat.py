"""A reader of stores, written from docs/FORMAT.md and nothing else.

It checks everything that the page says can be checked and raises Damage where
something is not as it must be. Slow and simple on purpose: whole files are read
into memory, states are folded from their base each time.
"""
import collections
import ctypes
import ctypes.util
import decimal
import json
import os
import re
import struct

W = 4096
BASE, PHASE_CHANGE, HAS_MAX, HAS_FROM, FIRST, LAST = (1 << n for n in range(6))
DELETED = 10
NONE, WHOLE, DELTA, MERGE, ASSIGN, PATCH, CUSTOM = range(1, 8)
(CHECK, RAW_BYTES, KEY, EVENT_ID, METADATA, STATE_TYPE, VERSION, TO, ACTION,
 ACTOR, TYPE, CORRELATION, CAUSATION, DURATION, ERROR, REDUCER) = range(1, 17)
BASE_STATE, BASE_NAME, CREATED_AT, MACHINE_METADATA, PARENT = range(19, 24)
CRITICAL = {RAW_BYTES, REDUCER, BASE_STATE, PARENT}
KNOWN = set(range(1, 17)) | set(range(19, 24))
NAMES_MAX = 255
STATE_MAX = 16 << 20


class Damage(Exception):
    """What is stored is not as it must be."""


def need(claim, *what):
    if not claim:
        raise Damage(" ".join(map(str, what)))


# Checksums and packing: the libraries that the format names.

_table = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ (0x82F63B78 if _n & 1 else 0)
    _table.append(_n)


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class _Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def _library(name):
    return ctypes.CDLL(ctypes.util.find_library(name))


_xxhash = _library("xxhash")
_hash64 = _xxhash.XXH3_64bits_withSeed
_hash128 = _xxhash.XXH3_128bits_withSeed
for _f, _type in (_hash64, ctypes.c_uint64), (_hash128, _Hash128):
    _f.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
    _f.restype = _type


def xxh3_64(data, seed=0):
    return _hash64(data, len(data), seed)


def xxh3_128(data, seed=0):
    h = _hash128(data, len(data), seed)
    return struct.pack(">QQ", h.high, h.low)


_zstd = _library("zstd")
_zstd.ZSTD_createDCtx.restype = ctypes.c_void_p
_zstd.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]
_zstd.ZSTD_DCtx_refPrefix.argtypes = [
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
_zstd.ZSTD_decompressDCtx.argtypes = [
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
    ctypes.c_size_t]
_zstd.ZSTD_decompressDCtx.restype = ctypes.c_size_t


def unpack(packed, size, prefix=b""):
    """Unpack to exactly `size` bytes; the prefix is raw content before them."""
    need(size <= STATE_MAX, "a state of", size, "bytes")
    frame = b"\x28\xb5\x2f\xfd" + packed
    out = ctypes.create_string_buffer(max(size, 1))
    context = _zstd.ZSTD_createDCtx()
    _zstd.ZSTD_DCtx_refPrefix(context, prefix, len(prefix))
    got = _zstd.ZSTD_decompressDCtx(context, out, size, frame, len(frame))
    _zstd.ZSTD_freeDCtx(context)
    need(got == size, "packed bytes do not unpack to", size)
    return out.raw[:size]


# Notation.

class Bytes:
    """Takes values off the front of bytes."""

    def __init__(self, data, at=0, end=None):
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def left(self):
        return self.end - self.at

    def take(self, n):
        need(n <= self.left(), "bytes end early")
        self.at += n
        return self.data[self.at - n:self.at]

    def rest(self):
        return self.take(self.left())

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def u8(self):
        return self.number("B")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need(shift == 7 or byte > 0, "a padded varint")
                need(value < 1 << 64 and shift <= 70, "a varint too long")
                return value

    def signed(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def sized(self):
        return self.take(self.varint())


def wrap(time):
    return (time + (1 << 63)) % (1 << 64) - (1 << 63)


def zeros(data):
    return data.count(0) == len(data)


# Records.

class Record:
    """One event. `position`, `recorded` and `offset` are told by its frame."""

    def __init__(self, data, at, end):
        part = Bytes(data, at, end)
        self.offset = at
        self.crc = part.number("I")
        covered = part.at
        length = part.varint()
        need(length <= part.left(), "a record longer than its frame")
        part.end = part.at + length
        self.end = part.end
        self.read_head(part)
        head = data[covered:part.at]
        tail = data[part.at:part.end]
        need(crc32c(head, crc32c(tail)) == self.crc, "checksum of a record")
        self.read_tail(part)
        self.judge()

    def read_head(self, part):
        self.kind, self.flags, form, ns = (part.u8() for _ in range(4))
        self.is_packed = form & 0x10 != 0
        self.form = form & ~0x10
        self.key = ns, part.sized()
        self.seq = part.varint()
        self.back = part.varint()
        self.depth = part.varint()
        self.time = part.signed()
        self.over = part.varint() if self.flags & HAS_MAX else 0
        self.came_from = part.sized() if self.flags & HAS_FROM else b""

    def read_tail(self, part):
        self.tags = {}
        last = 0
        while (code := part.varint()) != 0:
            tag, is_critical = code >> 1, code & 1 == 1
            value = part.sized()
            need(tag > last, "order of tags")
            last = tag
            if tag in KNOWN:
                need(is_critical == (tag in CRITICAL), "critical bit of", tag)
                self.tags[tag] = value
            else:
                need(not is_critical, "a newer version's tag", tag)
        self.body = part.rest()

    def judge(self):
        """The rules that span fields."""
        tags = self.tags
        need(1 <= self.kind <= DELETED, "a newer version's kind", self.kind)
        need(NONE <= self.form <= CUSTOM, "a newer form", self.form)
        need(self.flags < 1 << 6, "a newer version's flags", self.flags)
        need(1 <= len(self.key[1]) <= 518, "length of an id")
        need(self.seq > 0, "seq 0")
        need(self.is_packed == (RAW_BYTES in tags), "size of a packed body")
        need(not self.is_packed or self.form in (WHOLE, DELTA), "packed form")
        need(self.is_packed or self.form != DELTA, "an unpacked delta")
        need(not self.is_base() or self.depth == 0, "depth in a base")
        need(self.is_base() or BASE_STATE not in tags, "state of no base")
        need(not self.flags & HAS_FROM or
             1 <= len(self.came_from) <= NAMES_MAX, "a name")
        for tag in TO, ACTION, BASE_NAME:
            need(len(tags.get(tag, b"")) <= NAMES_MAX, "a name")
        for tag, size in (CHECK, 8), (KEY, 24), (TYPE, 1), (CREATED_AT, 8):
            need(tag not in tags or len(tags[tag]) == size, "size of tag", tag)

    def is_base(self):
        return self.flags & BASE != 0

    def raw_bytes(self):
        return Bytes(self.tags[RAW_BYTES]).varint()

    def base_state(self):
        value = Bytes(self.tags[BASE_STATE])
        is_packed, size = value.u8(), value.varint()
        need(is_packed in (0, 1), "tag 19")
        data = value.rest()
        need(is_packed or len(data) == size, "size of a base")
        return unpack(data, size) if is_packed else data

    def parent(self):
        value = Bytes(self.tags[PARENT])
        seq = value.varint()
        return seq, (value.u8(), value.rest())

    def state_bytes(self):
        if self.form in (WHOLE, DELTA):
            return self.raw_bytes() if self.is_packed else len(self.body)
        if BASE_STATE in self.tags:
            value = Bytes(self.tags[BASE_STATE], 1)
            return value.varint()
        return 0

    def occurred(self):
        return wrap(self.recorded + self.time)

    def occurred_max(self):
        return wrap(self.occurred() + self.over)


# Frames and segments.

Frame = collections.namedtuple(
    "Frame", "offset crc salt file length events previous first durable "
             "recorded segment_first records")


def frame_at(data, at, end):
    """The sound frame at an offset, or None."""
    if end - at < W or data[at:at + 4] != b"STFR":
        return None
    (crc, salt, file, length, events, previous, first, durable, recorded,
     distance, flags) = struct.unpack_from("<IQIIIIQQqII", data, at + 4)
    if flags or length % W or not 0 < length <= end - at or events == 0:
        return None
    sum_ = crc32c(data[at + 8:at + 64])
    records = []
    place = at + 64
    try:
        for n in range(events):
            record = Record(data, place, at + length)
            record.position, record.recorded = first + n, recorded
            records.append(record)
            sum_ = crc32c(data[place:place + 4], sum_)
            place = record.end
    except Damage:
        return None
    if sum_ != crc or not zeros(data[place:at + length]):
        return None
    return Frame(at, crc, salt, file, length, events, previous, first, durable,
                 recorded, first - distance, records)


Header = collections.namedtuple(
    "Header", "format file uuid salt first capacity predecessor flags "
              "predecessor_end copied_end reserved")


class Segment:
    """A file N.seg: its header, frames, and where they end."""

    def __init__(self, folder, number):
        self.number = number
        with open(os.path.join(folder, f"{number}.seg"), "rb") as file:
            self.data = file.read()
        self.header = None
        data = self.data[:W]
        if len(data) == W and data[:4] == b"STSG" and zeros(data[88:]) and \
                struct.unpack_from("<I", data, 4)[0] == crc32c(data[8:88]):
            header = Header(*struct.unpack_from("<II16sQQQIIQQQ", data, 8))
            need(header.format == 1, "format of", number)
            if header.file == number:
                self.header = header
        self.counts = self.header is not None
        self.frames = []
        self.trailer = None

    def limit(self):
        return min(len(self.data) // W * W, self.header.capacity)

    def own_frame(self, at):
        h = self.header
        frame = frame_at(self.data, at, self.limit())
        return frame if frame and (frame.salt, frame.file, frame.segment_first
                                   ) == (h.salt, h.file, h.first) else None

    def read_frames(self, end):
        """Read up to a named end, or while frames follow each other."""
        at, crc = W, self.header.salt & 0xFFFFFFFF
        self.stop = self.header.first
        while end is None or at < end:
            frame = self.own_frame(at)
            if frame is None or frame.previous != crc or \
                    frame.first != self.stop:
                break
            need(frame.durable <= frame.first, "durable of a frame")
            self.frames.append(frame)
            at, crc = at + frame.length, frame.crc
            self.stop += frame.events
        need(end is None or at == end, f"{self.number}.seg at {at}: a frame")
        self.end = at
        self.last_crc = crc
        need(self.stop - self.header.first <= self.header.capacity // 32,
             "too many records")

    def proofs(self):
        """What the frames, also those beyond the end, say is durable."""
        yield self.header.first
        for frame in self.frames:
            yield frame.durable
        for at in range(self.end + W, self.limit(), W):
            frame = self.own_frame(at)
            if frame:
                yield frame.durable

    def records(self):
        return [r for frame in self.frames for r in frame.records]


# Index.

SECTIONS = ("slots", "lists", "directory", "fences", "filter", "times", "keys")
ENTRIES = {"slots": 4, "lists": 4, "filter": 64, "times": 16, "keys": 32}


class Trailer:
    def __init__(self, segment):
        data = segment.data
        h = segment.header
        self.segment = segment
        self.block = data[-W:]
        need(len(data) % W == 0 and self.block[8:12] == b"STIX", "no trailer")
        (self.format, self.number, self.file, self.uuid, self.salt, self.first,
         self.end_position, self.end, self.state_bytes, self.first_recorded,
         self.last_recorded, self.last_crc, self.frames
         ) = struct.unpack_from("<III16sQQQQQqqII", self.block, 12)
        self.check_block(self.block, 8, self.number)
        need(self.format == 1, "format of a trailer")
        need((self.uuid, self.file, self.salt, self.first) ==
             (h.uuid, h.file, h.salt, h.first), "a trailer of another segment")
        need(len(data) == self.end + (self.number + 1) * W, "size of a file")
        self.sections = {}
        next_ = 0
        for i, name in enumerate(SECTIONS):
            first, blocks, entries = struct.unpack_from(
                "<IIQ", self.block, 104 + 16 * i)
            size = ENTRIES.get(name)
            need(first == next_, "place of a section")
            need(size is None or blocks == -(-entries // (4088 // size)),
                 "size of a section")
            next_ += blocks
            self.sections[name] = first, blocks, entries
        need(next_ == self.number, "place of a trailer")

    def check_block(self, block, section, number):
        """The payload of a block."""
        place = struct.pack("<QI", self.salt, number)
        crc, what, used = struct.unpack_from("<IHH", block)
        need(crc == crc32c(block[4:], crc32c(place)), "block", number)
        need(what == section and used <= 4088, "section of block", number)
        need(zeros(block[8 + used:]), "padding of block", number)
        return block[8:8 + used]

    def payloads(self, name):
        first, blocks, _ = self.sections[name]
        for n in range(first, first + blocks):
            at = self.end + n * W
            yield self.check_block(self.segment.data[at:at + W],
                                   SECTIONS.index(name) + 1, n)

    def entries(self, name, form):
        """The entries of a section that has a size for them."""
        size, count = ENTRIES[name], self.sections[name][2]
        payloads = list(self.payloads(name))
        need(all(len(p) == 4088 // size * size for p in payloads[:-1]),
             "a block that is not full")
        data = b"".join(payloads)
        need(len(data) == count * size, "entries of", name)
        return list(struct.iter_unpack("<" + form, data))

    def runs(self):
        """(run, is it the first of its block)"""
        for payload in self.payloads("directory"):
            part = Bytes(payload)
            while part.left() > 0:
                is_first = part.at == 0
                yield self.read_run(part), is_first

    def read_run(self, part):
        run = {"key": (part.u8(), part.sized())}
        flags = part.u8()
        position = self.first + part.varint()
        seq = part.varint()
        time = wrap(self.first_recorded + part.signed())
        run.update(first=(seq, position, time), last=(seq, position, time),
                   count=1, is_deleted=flags & 1 == 1, name=None,
                   previous=None, jump=None, slots=[position - self.first])
        if flags & 2:
            count = part.varint() + 2
            last = (seq + count - 1, position + part.varint(),
                    wrap(time + part.signed()))
            run.update(count=count, last=last, slots=None, list=part.varint())
        if flags & 4:
            run["name"] = part.take(part.u8())
        if flags & 8:
            to = position - part.varint()
            key = (part.u8(), part.sized()) if flags & 16 else run["key"]
            run["previous"] = to, key
        if flags & 32:
            to = position - part.varint()
            jump = (seq - part.varint(), to, wrap(time - part.signed()))
            key = (part.u8(), part.sized()) if flags & 64 else run["key"]
            run["jump"] = jump, key
        return run

    def may_hold(self, key, lines):
        h = xxh3_64(key[1], key[0])
        line = lines[(h >> 32) * len(lines) >> 32][0]
        start, step = h % 512, (h % (1 << 32) >> 9) % 512 | 1
        bits = ((start + i * step) % 512 for i in range(8))
        return all(line[b // 8] >> b % 8 & 1 for b in bits)


# Folds.

class Number(str):
    """A number's text."""


def _members(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "two members of one name")
    return members


def read_json(text):
    return json.loads(text.decode(), parse_int=Number, parse_float=Number,
                      parse_constant=lambda c: need(False, c),
                      object_pairs_hook=_members)


_escapes = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n",
            "\r": "\\r", "\t": "\\t"}


def _escape(match):
    c = match.group()
    return _escapes.get(c, f"\\u{ord(c):04x}")


def text_of(value):
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return '"' + re.sub(r'["\\\x00-\x1f]', _escape, value) + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{text_of(k)}:{text_of(v)}"
                              for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return {None: "null", True: "true", False: "false"}[value]


def merge(into, patch):
    for name, value in patch.items():
        if value is None:
            into.pop(name, None)
        elif isinstance(value, dict):
            old = into.get(name)
            into[name] = merge(old if isinstance(old, dict) else {}, value)
        else:
            into[name] = value
    return into


def equal(a, b):
    if isinstance(a, Number) and isinstance(b, Number):
        return decimal.Decimal(a) == decimal.Decimal(b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def _tokens(pointer):
    return [t.replace("~1", "/").replace("~0", "~")
            for t in pointer.split("/")[1:]]


def _at(container, token):
    return container[int(token) if isinstance(container, list) else token]


def _find(document, tokens):
    for token in tokens:
        document = _at(document, token)
    return document


def _add(document, tokens, value):
    if not tokens:
        return value
    into, token = _find(document, tokens[:-1]), tokens[-1]
    if isinstance(into, list):
        into.insert(len(into) if token == "-" else int(token), value)
    else:
        into[token] = value
    return document


def _remove(document, tokens):
    into, token = _find(document, tokens[:-1]), tokens[-1]
    return into.pop(int(token) if isinstance(into, list) else token)


def _replace(document, tokens, value):
    if not tokens:
        return value
    into, token = _find(document, tokens[:-1]), tokens[-1]
    into[int(token) if isinstance(into, list) else token] = value
    return document


def patch(document, operations):
    for o in operations:
        op, path = o["op"], _tokens(o["path"])
        if op == "add":
            document = _add(document, path, o["value"])
        elif op == "remove":
            _remove(document, path)
        elif op == "replace":
            document = _replace(document, path, o["value"])
        elif op == "move":
            document = _add(document, path,
                            _remove(document, _tokens(o["from"])))
        elif op == "copy":
            value = _find(document, _tokens(o["from"]))
            document = _add(document, path,
                            read_json(text_of(value).encode()))
        else:
            need(op == "test" and equal(_find(document, path), o["value"]),
                 "a patch that does not apply")
    return document


def fold(form, state, body):
    document, change = read_json(state or b"{}"), read_json(body)
    if form == MERGE:
        document = merge(document, change)
    elif form == ASSIGN:
        document.update(change)
    else:
        document = patch(document, change)
    return text_of(document).encode()


# Stores.

State = collections.namedtuple("State", "data name type version metadata "
                                        "created")


class Store:
    """A whole store, read and checked."""

    def __init__(self, folder):
        self.folder = folder
        self.read_super()
        numbers = [int(m.group(1)) for name in os.listdir(folder)
                   if (m := re.fullmatch(r"([1-9]\d*)\.seg", name))]
        self.files = {n: Segment(folder, n) for n in sorted(numbers)}
        self.judge_headers()
        self.read_chain()
        self.records = [r for s in self.chain for r in s.records()]
        self.by_position = {r.position: r for r in self.records}
        self.newest = {r.key: r for r in self.records}
        self.find_known()
        for segment in self.chain:
            if segment.trailer:
                self.check_index(segment)

    def read_super(self):
        with open(os.path.join(self.folder, "super"), "rb") as file:
            data = file.read()
        slots = []
        for block in data[:W], data[W:2 * W]:
            if len(block) == W and block[:4] == b"STSU" and \
                    zeros(block[80:]) and zeros(block[60:64]) and \
                    struct.unpack_from("<I", block, 4)[0] == \
                    crc32c(block[8:80]):
                slots.append(struct.unpack_from("<IIQQ16sIIIIQQ", block, 8))
        need(slots, "neither slot of super is sound")
        (self.format, self.live, self.generation, self.mark, self.uuid,
         *spares, self.clean_file, _, self.clean_end, self.clean_position
         ) = max(slots, key=lambda s: s[2])
        need(self.format == 1, "format of super")
        self.named = [n for n in (self.live, *spares) if n]

    def judge_headers(self):
        for n, file in reversed(self.files.items()):
            if file.counts:
                need(file.header.uuid == self.uuid, n, "is of another store")
            if file.counts and file.header.flags & 1:
                file.counts = self.live == n or any(
                    f.counts and f.header.predecessor == n
                    for m, f in self.files.items() if m > n)
        for n in self.named:
            need(n in self.files, n, "is missing; super names it")
        need(not self.live or self.files[self.live].counts, "header of live")

    def read_chain(self):
        self.chain = []
        number = max((n for n, f in self.files.items() if f.counts), default=0)
        while number:
            need(number in self.files and self.files[number].counts,
                 "segment", number)
            self.chain.insert(0, self.files[number])
            number = self.chain[0].header.predecessor
        self.stop = 1
        for segment, after in zip(self.chain, [*self.chain[1:], None]):
            need(segment.header.first == self.stop, "positions do not join")
            self.read_segment(segment, after)
            self.stop = segment.stop

    def read_segment(self, segment, after):
        try:
            trailer = Trailer(segment)
        except (Damage, struct.error):
            trailer = None
        end = after.header.predecessor_end if after else None
        if not after and self.clean_file == segment.number:
            end = self.clean_end
        if trailer and end in (None, trailer.end):
            segment.trailer = trailer
            end = trailer.end
        segment.named_end = end
        segment.read_frames(end)

    def find_known(self):
        known = [1, self.mark, self.clean_position]
        for segment in self.chain:
            if segment.trailer:
                known += [segment.header.first, segment.trailer.end_position]
            elif segment.named_end is not None:
                known += [segment.header.first,
                          *(f.durable for f in segment.frames)]
            else:
                known += segment.proofs()
            if segment.header.flags & 1 and segment.number == self.live:
                known.append(segment.header.copied_end)
        self.known = max(known)
        need(self.known <= self.stop, "positions below", self.known,
             "are durable, those from", self.stop, "are damaged")

    def before(self, record):
        """The record before this one in its lineage."""
        need(0 < record.back < record.position, "step back of", record.position)
        r = self.by_position[record.position - record.back]
        if PARENT in record.tags:
            seq, key = record.parent()
            need(seq == record.seq - 1, "a fork's seq")
        else:
            key = record.key
        need((r.seq, r.key) == (record.seq - 1, key), "what is before",
             record.position)
        return r

    def lineage(self, record):
        """The record and those before it, newest first."""
        yield record
        while record.back:
            record = self.before(record)
            yield record

    def state(self, record):
        """The State after a record; None: the machine does not exist."""
        records = []
        for r in self.lineage(record):
            records.append(r)
            if r.is_base():
                break
        need(records[-1].is_base(), "no base below", record.position)
        state = None
        for r in reversed(records):
            state = self.step(state, r)
        return None if record.kind == DELETED else state

    def step(self, state, r):
        tags = r.tags
        data = state.data if state else b""
        if BASE_STATE in tags:
            data = r.base_state()
        elif r.form == WHOLE:
            data = unpack(r.body, r.raw_bytes()) if r.is_packed else r.body
        elif r.is_base():
            data = b""
        elif r.form == DELTA:
            data = unpack(r.body, r.raw_bytes(), data)
        elif r.form in (MERGE, ASSIGN, PATCH):
            data = fold(r.form, data, r.body)
        need(CHECK not in tags or
             struct.unpack("<Q", tags[CHECK])[0] == xxh3_64(data),
             "state after", r.position)
        if r.is_base():
            created = struct.unpack("<q", tags[CREATED_AT])[0] \
                if CREATED_AT in tags else r.occurred()
            state = State(data, tags.get(BASE_NAME, b""), b"", b"", b"",
                          created)
        return State(data, tags.get(TO, state.name),
                     tags.get(STATE_TYPE, state.type),
                     tags.get(VERSION, state.version),
                     tags.get(MACHINE_METADATA, state.metadata), state.created)

    # Indexes against the records they are made of.

    def check_index(self, segment):
        t = segment.trailer
        records = segment.records()
        need(t.end_position == segment.stop and t.last_crc == segment.last_crc
             and t.frames == len(segment.frames), "a trailer")
        need(t.state_bytes == sum(r.state_bytes() for r in records) and
             t.first_recorded == segment.frames[0].recorded and
             t.last_recorded == segment.frames[-1].recorded, "a trailer")
        need([s for s, in t.entries("slots", "I")] ==
             [r.offset for r in records], "slots")
        need(t.entries("times", "IIq") ==
             [(f.first - t.first, f.offset // W, f.recorded)
              for f in segment.frames], "times")
        need(t.entries("keys", "16s8sII") == sorted(
            (r.tags[KEY][:16], r.tags[KEY][16:], r.position - t.first, 0)
            for r in records if KEY in r.tags), "keys")
        self.check_directory(t, records)

    def check_directory(self, t, records):
        machines = collections.defaultdict(list)
        for r in records:
            machines[r.key].append(r)
        lists = [s for s, in t.entries("lists", "I")]
        lines = t.entries("filter", "64s")
        fences = Bytes(b"".join(t.payloads("fences")))
        keys = []
        for run, is_first in t.runs():
            keys.append(run["key"])
            if is_first:
                ns_id = fences.sized()
                need((ns_id[0], ns_id[1:]) == run["key"], "fences")
            if run["slots"] is None:
                run["slots"] = lists[run["list"]:run["list"] + run["count"]]
            self.check_run(run, machines[run["key"]], t.first)
            need(t.may_hold(run["key"], lines), "filter")
        need(keys == sorted(machines), "directory")
        need(fences.left() == 0 and t.sections["directory"][2] == len(keys),
             "directory")
        need(len(lists) == sum(len(m) for m in machines.values() if len(m) > 1),
             "lists")

    def check_run(self, run, records, first_position):
        first, last = records[0], records[-1]
        need(run["slots"] == [r.position - first_position for r in records],
             "list of a run")
        for point, r in (run["first"], first), (run["last"], last):
            need(point == (r.seq, r.position, r.occurred_max()), "points")
        need(run["is_deleted"] == (last.kind == DELETED), "deleted")
        named = [r for r in records if TO in r.tags or r.is_base()]
        name = None if first.back else b""
        if named:
            name = named[-1].tags.get(TO, named[-1].tags.get(BASE_NAME, b""))
        need(run["name"] == name, "name of a run")
        previous = None
        if first.back:
            key = first.parent()[1] if PARENT in first.tags else first.key
            previous = first.position - first.back, key
        need(run["previous"] == previous, "previous of a run")
        if run["jump"]:
            (seq, position, time), key = run["jump"]
            r = self.by_position[position]
            need((seq, time, key) == (r.seq, r.occurred_max(), r.key), "jump")
            need(r in self.lineage(first), "a jump out of the lineage")
