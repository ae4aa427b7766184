"""A store's machines: their histories and any of their states.

As docs/FORMAT.md has it under State, Finding a state and The store's own
machines.
"""
import collections
import hashlib
import json

import fold
import layout
from borrowed import unpack, xxh3
from damage import Malformed, NoReducer, NotFound
from folder import Folder
from segments import Segments

OWN = 255  # the namespace of the store's own machines

Head = collections.namedtuple("Head", "key seq position name is_deleted")
Checkpoint = collections.namedtuple(
    "Checkpoint", "ns id name seq position history_size metadata created_at")


LOST = object()  # the state after an event that was dropped or erased


class State:
    """What a machine is after one of its events."""

    def __init__(self):
        self.data = self.name = self.type = self.version = self.metadata = b""
        self.created_at = None

    @property
    def sha256(self):
        return hashlib.sha256(self.data).hexdigest()


class Store:
    """A folder (its path, a Folder or a Backup), read once; `reducers` are
    the application's own, by (name, version): functions of state and payload.
    """

    def __init__(self, folder, reducers=None):
        self.segments = Segments(Folder(folder) if isinstance(folder, str)
                                 else folder)
        self.reducers = reducers or {}
        # By position. Those from known on are whole, but not to be shown.
        self.records = [None, *self.segments.records()]
        self.known = self.segments.known
        self.machines = {}  # Key: its own records that are shown, by seq
        for record in self.records[1:self.known]:
            self.machines.setdefault(record.key, []).append(record)

    # Histories.

    def newest(self, key):
        try:
            return self.machines[key][-1]
        except KeyError:
            raise NotFound(f"{key.id!r} was never written") from None

    def before(self, record):
        """The lineage's record before this one; None: it is the first."""
        if record.back == 0:
            return None
        before = self.records[record.previous_position] \
            if 0 < record.previous_position < record.position else None
        seq = record.parent[0] if record.parent else record.seq - 1
        if before is None or before.key != record.previous_key or \
                before.seq != seq or seq != record.seq - 1:
            raise record.file.damage(record.offset,
                                     "not what its lineage goes on with")
        return before

    def back(self, record):
        """A record and those before it in its lineage, newest first."""
        while record is not None:
            yield record
            record = self.before(record)

    def history(self, key):
        """A machine's events, a fork's inherited ones included, by seq."""
        return list(self.back(self.newest(key)))[::-1]

    def at_seq(self, key, seq):
        """The record of a lineage with that seq."""
        for record in self.back(self.newest(key)):
            if record.seq == seq:
                return record
        raise NotFound(f"{key.id!r} has no seq {seq}")

    def at_time(self, key, time):
        """The last record of the longest prefix of the history in which
        nothing occurred after `time`."""
        for record in self.back(self.newest(key)):
            if record.occurred_max <= time:
                return record
        raise NotFound(f"{key.id!r} was not there")

    def at_recorded(self, key, time):
        """The last record that the store had taken by `time`."""
        for record in self.back(self.newest(key)):
            if record.recorded <= time:
                return record
        raise NotFound(f"{key.id!r} was not there")

    def name_after(self, record):
        """The state's name after a record, without folding anything."""
        for r in self.back(record):
            if r.to is not None:
                return r.to
            if r.has(layout.BASE):
                return r.base_name or b""
        return b""

    def list(self, ns=0, with_deleted=False):
        """The machines of a namespace in the order of their ids."""
        for key in sorted(self.machines):
            newest = self.machines[key][-1]
            is_deleted = newest.kind == layout.DELETED
            if key.ns == ns and (with_deleted or not is_deleted):
                yield Head(key, newest.seq, newest.position,
                           self.name_after(newest), is_deleted)

    # States.

    def state(self, record):
        """The state after a record; None: the machine is deleted there."""
        steps = []
        for r in self.back(record):
            steps.append(r)
            if r.has(layout.BASE):
                break
        state = None
        for r in reversed(steps):
            state = self.step(state, r)
        if state is LOST:
            raise NotFound(f"seq {record.seq} of {record.key.id!r} was "
                           + ("erased" if record.erased else "dropped"))
        return state

    def states(self, key):
        """Each record of a history with the state after it, or LOST."""
        state = None
        for record in self.history(key):
            state = self.step(state, record)
            yield record, state

    def step(self, before, record):
        """Fold one record onto the state before it."""
        try:
            after = self._step(before, record)
            if isinstance(after, State) and record.check is not None and \
                    xxh3(after.data) != record.check:
                raise Malformed("folds to other bytes than were saved")
        except Malformed as error:
            raise record.file.damage(record.offset, error) from None
        return after

    def _step(self, before, record):
        if not record.is_whole:
            return LOST
        if before is LOST and not record.has(layout.BASE):
            raise Malformed("needs a state that was dropped or erased")
        if record.kind == layout.DELETED:
            return None
        if before is None and not record.has(layout.BASE):
            raise Malformed("nothing to fold onto")
        after = State()
        if record.has(layout.BASE):
            after.data = self._base_data(record)
            after.name = record.base_name or b""
            after.type = record.base_type or b""
            after.version = record.base_version or b""
            after.metadata = record.base_metadata or b""
            after.created_at = record.occurred if record.created_at is None \
                else record.created_at
        else:
            vars(after).update(vars(before))
            after.data = self._fold(before.data, record)
        for field, value in (("name", record.to),
                             ("type", record.state_type),
                             ("version", record.version),
                             ("metadata", record.machine_metadata)):
            if value is not None:
                setattr(after, field, value)
        return after

    @staticmethod
    def _base_data(record):
        base = record.base_state
        if base:
            return unpack(base.data, base.raw_bytes) if base.is_packed \
                else base.data
        if record.form != layout.WHOLE:
            return b""
        return unpack(record.body, record.raw_bytes) if record.is_packed \
            else record.body

    def _fold(self, state, record):
        match record.form:
            case layout.NONE:
                return state
            case layout.WHOLE:
                return self._base_data(record)
            case layout.DELTA:
                return unpack(record.body, record.raw_bytes, state)
            case layout.MERGE:
                return fold.merge(state, record.body)
            case layout.ASSIGN:
                return fold.assign(state, record.body)
            case layout.PATCH:
                return fold.patch(state, record.body)
        version, name = record.reducer
        try:
            return self.reducers[name, version](state, record.body)
        except KeyError:
            raise NoReducer(f"{name!r} version {version}") from None

    # Checkpoints.

    def checkpoints(self):
        """All that have a name, of machines and of the whole store."""
        for head in self.list(OWN):
            ns, machine, name = _split_checkpoint(head.key.id)
            if name is None:
                continue
            record = self.records[head.position]
            content = json.loads(self.state(record).data)
            yield Checkpoint(ns, machine, name, content["seq"],
                             content["position"], content["history_size"],
                             content.get("metadata"), record.occurred)


def _split_checkpoint(own_id):
    if own_id[:1] == b"s":
        return None, None, own_id[1:]
    if own_id[:1] == b"c":
        machine, _, name = own_id[3:].partition(b"\0")
        return int(own_id[1:3], 16), machine, name
    return None, None, None
