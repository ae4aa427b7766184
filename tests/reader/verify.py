"""Everything a store says twice, compared; and every state folded."""
import layout
from borrowed import xxh3
from damage import Malformed, NoReducer
from layout import BASE, BATCH_FIRST, BATCH_LAST, Point, W
from store import LOST


class Report:
    def __init__(self):
        self.frames = self.records = self.machines = self.index_blocks = 0
        self.unfolded = 0  # machines whose reducers are the application's


def claim(is_so, what):
    if not is_so:
        raise Malformed(what)


def verify(store):
    """Read a store's every byte that counts; raises the first Damage."""
    report = Report()
    chains = {}  # Key: value after the machine's last record in a set
    for file in store.segments.chain:
        report.frames += len(file.frames)
        _check_frames(store, file)
        if file.trailer:
            report.index_blocks += file.trailer.number + 1
            _check_index(store, file, chains)
    for index in store.segments.merged:
        report.index_blocks += index.trailer.number + 1
        _check_merged(store, index)
    report.records = store.known - 1
    for key, own in sorted(store.machines.items()):
        _check_lineage(store, own)
        _check_states(store, own, report)
        report.machines += 1
    return report


# Frames.


def _check_frames(store, file):
    last = None
    for frame in file.frames:
        h = frame.header
        try:
            claim(last is None or last.recorded < h.recorded,
                  "recorded does not rise")
            _check_batches(
                store.records[h.first_position:h.first_position + h.events])
        except Malformed as error:
            raise file.damage(frame.offset, error) from None
        last = h


def _check_batches(records):
    """Only whole batches, and keys only where one begins."""
    is_inside = False
    for record in records:
        claim(record.has(BATCH_FIRST) != is_inside, "where a batch begins")
        claim(record.idempotency is None or record.has(BATCH_FIRST),
              "a key within a batch")
        is_inside = not record.has(BATCH_LAST)
    claim(not is_inside, "a batch that is cut")


# Lineages and states.


def _check_lineage(store, own):
    """What a record says of those before it, against those before it."""
    for record in own:
        before = store.before(record)
        try:
            _check_step(before, record)
        except Malformed as error:
            raise record.file.damage(record.offset, error) from None
    for record, due in zip(own[1:], own):
        if record.previous_position != due.position:
            raise record.file.damage(record.offset, "leaves its machine")


def _check_step(before, record):
    occurred_max = record.occurred
    if before is None:
        claim(record.seq == 1, "seq 1")
        claim(record.has(BASE) or not record.is_whole,
              "begins without a base")
    else:
        occurred_max = max(occurred_max, before.occurred_max)
        claim(before.kind != layout.DELETED or record.has(BASE)
              or not record.is_whole, "goes on from nothing")
    _check_depth(before, record)
    claim(record.occurred_max == occurred_max, "occurred maximum")
    claim((record.parent is not None) == (record.kind == layout.FORKED),
          "a fork, or a parent, without the other")


def _is_settled_base(record):
    trailer = record.file.trailer
    return record.has(BASE) and trailer and trailer.part is not None


def _check_depth(before, record):
    """It is exact, but behind what settling made a base."""
    if record.has(BASE):
        claim(record.depth == 0, "depth of a base")
    elif record.is_whole and before.is_whole and not _is_settled_base(before):
        claim(record.depth == before.depth + 1, "depth")


def _check_states(store, own, report):
    try:
        first = store.before(own[0])
        state = store.state(first) if first and first.is_whole else LOST
        for record in own:
            state = store.step(state, record)
    except NoReducer:
        report.unfolded += 1


# Index.


def _check_index(store, file, chains):
    index = _Index(file, chains)
    checks = [_check_slots, _check_keys, _check_directory, _check_filter]
    checks += [_check_set] if index.is_of_set else [_check_trailer,
                                                    _check_times]
    _check_all(store, index, checks)


def _check_merged(store, file):
    _check_all(store, _Index(file, {}),
               [_check_newest, _check_keys, _check_filter])


def _check_all(store, index, checks):
    trailer = index.trailer
    records = store.records[trailer.first_position:trailer.end_position]
    for check in checks:
        try:
            check(store, index, records)
        except Malformed as error:
            raise index.file.damage(index.last_offset, error) from None


class _Index:
    """The decoded sections of one file."""

    def __init__(self, file, chains):
        self.file = file
        self.trailer = file.trailer
        self.chains = chains
        self.is_of_set = file.trailer.part is not None
        self.last_offset = file.end  # of the block read last

    def blocks(self, section):
        span = self.trailer.section(section)
        for number in range(span.first_block, span.first_block + span.blocks):
            at = self.trailer.end_offset + number * W
            self.last_offset = at
            try:
                yield layout.read_index_block(
                    self.file.data[at:at + W], section, number,
                    self.trailer.salt)
            except Malformed as error:
                raise self.file.damage(at, error) from None

    def entries(self, section):
        """The entries of a section that have one size, as Cursors."""
        size = layout.ENTRY_BYTES[section]
        blocks = list(self.blocks(section))
        claim(all(len(b) == layout.PAYLOAD // size * size
                  for b in blocks[:-1]), "a block that is not full")
        joined = b"".join(blocks)
        count = self.trailer.section(section).entries
        claim(len(joined) == count * size, "the entries of a section")
        return [layout.Cursor(joined[i * size:(i + 1) * size])
                for i in range(count)]


def _check_trailer(store, index, records):
    trailer, frames = index.trailer, index.file.frames
    due = {
        "end_position": index.file.end_position,
        "end_offset": index.file.end,
        "state_bytes": sum(map(_state_bytes, records)),
        "first_recorded": frames[0].header.recorded,
        "last_recorded": frames[-1].header.recorded,
        "last_frame_crc": frames[-1].header.crc,
        "frames": len(frames),
    }
    for name, value in due.items():
        claim(getattr(trailer, name) == value, f"trailer: {name}")


def _check_set(store, index, records):
    trailer, stamps = index.trailer, [r.recorded for r in records]
    due = {
        "end_position": trailer.first_position + len(records),
        "state_bytes": sum(map(_state_bytes, records)),
        "first_recorded": stamps[0],
        "last_recorded": stamps[-1],
        "frames": len(set(stamps)),
    }
    for name, value in due.items():
        claim(getattr(trailer, name) == value, f"trailer: {name}")
    index.file.check_head()
    by_content = sorted(records, key=lambda r: r.raw_offset)
    claim(by_content == sorted(records, key=lambda r: (r.key, r.seq)),
          "the order of the content")


def _state_bytes(record):
    if not record.is_whole:
        return 0
    if record.form in (layout.WHOLE, layout.DELTA):
        return record.raw_bytes if record.is_packed else len(record.body)
    return record.base_state.raw_bytes if record.base_state else 0


def _check_slots(store, index, records):
    slots = [(entry.u32(), entry.u32())
             for entry in index.entries(layout.SLOTS)]
    data = index.file.data
    if index.is_of_set:
        due = [(r.raw_offset, r.data[:4]) for r in records]
    else:
        due = [(r.offset, data[r.offset:r.offset + 4]) for r in records]
    claim(slots == [(at, int.from_bytes(crc, "little")) for at, crc in due],
          "slots")


def _check_times(store, index, records):
    first = index.trailer.first_position
    found = [(e.u32(), e.u32() * W, e.i64())
             for e in index.entries(layout.TIMES)]
    claim(found == [(f.header.first_position - first, f.offset,
                     f.header.recorded) for f in index.file.frames], "times")


def _check_keys(store, index, records):
    found = [(e.take(16), e.u64(), e.u32(), e.u32())
             for e in index.entries(layout.KEYS)]
    claim(found == sorted((*r.idempotency, slot, 0)
                          for slot, r in enumerate(records) if r.idempotency),
          "keys")


def _check_filter(store, index, records):
    """Exactly the bits of the segment's machines."""
    lines = [bytearray(e.rest()) for e in index.entries(layout.FILTER)]
    due = [bytearray(64) for _ in lines]
    for ns, name in {r.key for r in records}:
        h = xxh3(name, ns)
        line = due[((h >> 32) * len(lines)) >> 32]
        step = (h >> 9 & 511) | 1
        for i in range(8):
            bit = (h + i * step) % 512
            line[bit // 8] |= 1 << bit % 8
    claim(lines == due, "filter")


def _directory(index):
    """All runs; fences must tell the first of each block."""
    found, first_keys = [], []
    for block in index.blocks(layout.DIRECTORY):
        cursor = layout.Cursor(block)
        begin = len(found)
        while cursor.left > 0:
            found.append(layout.read_run(cursor, index.trailer))
        claim(begin < len(found), "a directory block without a run")
        first_keys.append(found[begin].key)
    claim(len(found) == index.trailer.section(layout.DIRECTORY).entries,
          "the number of runs")
    _check_fences(index, first_keys)
    return found


def _check_newest(store, index, records):
    """In a merged index: each machine's newest record, and nothing else."""
    newest = {r.key: Point(r.position, r.seq, 0) for r in records}
    due = [layout.Run(key, at, at, 1, None, False, None, None, None, None)
           for key, at in sorted(newest.items())]
    claim(_directory(index) == due, "the newest records")


def _check_directory(store, index, records):
    found = _directory(index)
    by_key = {}
    for record in records:
        by_key.setdefault(record.key, []).append(record)
    due, lists = _due_runs(records)
    for run, wanted in zip(found, due):
        claim(run._replace(jump=None, chain=None) == wanted,
              f"run of {wanted.key}")
        _check_jump(store, run)
        _check_chain(index, run, by_key[run.key])
    claim(len(found) == len(due), "a run too few or too many")
    claim([e.u32() for e in index.entries(layout.LISTS)] == lists, "lists")


def _due_runs(records):
    """The runs that records make, without jumps, and their lists joined."""
    by_key, lists, runs = {}, [], []
    for slot, record in enumerate(records):
        by_key.setdefault(record.key, []).append((slot, record))
    for key, run in sorted(by_key.items()):
        slots = [slot for slot, _ in run]
        own = [record for _, record in run]
        first, last = own[0], own[-1]
        at = len(lists) if len(own) > 1 else None
        lists.extend(slots if len(own) > 1 else [])
        previous = (first.previous_position, first.previous_key) \
            if first.back else None
        runs.append(layout.Run(key, _point(first), _point(last), len(own), at,
                               last.kind == layout.DELETED, _due_name(own),
                               previous, None, None))
    return runs, lists


def _check_chain(index, run, records):
    """In a set: the hash chain over the machine's own records."""
    if not index.is_of_set:
        return
    before = index.chains.get(run.key, bytes(32))
    claim(index.file.chain(before, records) == run.chain,
          f"chain of {run.key}")
    index.chains[run.key] = run.chain


def _point(record):
    return Point(record.position, record.seq, record.occurred_max)


def _due_name(own):
    """The name after a run, where it is known without what was before."""
    for record in reversed(own):
        if record.to is not None:
            return record.to
        if record.has(BASE):
            return record.base_name or b""
    return None if own[0].back else b""


def _check_jump(store, run):
    """A jump leads to a record of the lineage, at J of a seq of the run."""
    if run.jump is None:
        return
    point, key = run.jump
    first = store.records[run.first.position]
    target = next(r for r in store.back(first) if r.seq <= point.seq)
    claim((_point(target), target.key) == (point, key),
          f"jump of {run.key}")
    claim(point.seq in map(_jump_seq, range(run.first.seq, run.last.seq + 1)),
          f"jump of {run.key} to seq {point.seq}")


def _jump_seq(seq):
    """Without the least of the numbers 2^k - 1 that greedily make it up."""
    left = seq
    while left > 0:
        term = (1 << (left + 1).bit_length() - 1) - 1
        left -= term
    return seq - term


def _check_fences(index, first_keys):
    blocks = list(index.blocks(layout.FENCES))
    claim(all(len(b) == layout.PAYLOAD for b in blocks[:-1]),
          "a block of fences that is not full")
    cursor = layout.Cursor(b"".join(blocks))
    found = []
    while cursor.left > 0:
        name = layout.Cursor(cursor.sized(2))
        found.append(layout.Key(name.u8(), name.rest()))
    claim(found == first_keys, "fences")
