#!/usr/bin/env python3
"""tests/reader, written from docs/FORMAT.md alone, says of every store what
stet says: its machines, events, states, checkpoints, and what is damaged."""
import collections
import contextlib
import datetime
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "reader"))
import backups
import fold
import layout
from borrowed import crc32c, xxh3, xxh3_128
from damage import Damage, Malformed
from layout import Key
from scribe import BUILD, IS_SLOW, Event, Scribe, rounds, run_scribe
from stetcli import (DAMAGED, DONE, NO, RECEIPT, ROOT, StetCase, main,
                     no_data)
from sets import Set
from stetreader import (backup_members, event_members, put_json,
                        state_members, time_text)
from store import OWN, Store
from verify import verify

STORES_MORE = 10

SEED = int(os.environ.get("STET_SEED", random.randrange(1 << 32)))
MASON = os.path.join(BUILD, "tests", "programs", "mason")
READER = os.path.join(HERE, "..", "reader", "stetreader.py")
PAGE = os.path.join(ROOT, "docs", "FORMAT.md")
GOLDEN = os.path.join(ROOT, "tests", "golden", "fold")
NAMESPACES = (0, 7, 254)  # those of tests/lib/workload.c

# What tests/lib/model_event.c registers with `mason custom`.
REDUCERS = {
    (b"tail", 1): lambda state, payload: (state + payload)[-100:],
    (b"count", 2): lambda state, payload:
        b'{"phase":"c%d","n":%d}' % (len(state) % 3,
                                     len(state) + len(payload)),
    (b"clear", 1): lambda state, payload: b"",
}


def time_of(text):
    """RFC 3339 in UTC to nanoseconds."""
    day, fraction = re.fullmatch(r"(.{19})(?:\.(\d{1,9}))?Z", text).groups()
    since = datetime.datetime.fromisoformat(day) - datetime.datetime(1970, 1,
                                                                     1)
    return since // datetime.timedelta(seconds=1) * 10**9 + \
        int((fraction or "").ljust(9, "0"))


def plain(text):
    """A line of JSON for comparison: numbers as they are written, but for
    times and durations, which mean the same in several ways."""
    members = json.loads(text, parse_int=str, parse_float=str)
    for name, value in members.items():
        if name in ("timestamp", "recorded_at", "created_at", "updated_at"):
            members[name] = time_of(value)
        elif name == "duration_ms":
            members[name] = float(value)
    return members


def spread(items, most):
    """At most so many of them, evenly, the ends included."""
    if len(items) <= most:
        return items
    return [items[i * (len(items) - 1) // (most - 1)] for i in range(most)]


class ReaderCase(StetCase):
    unshown = ""

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        print(f"STET_SEED={SEED}")

    @property
    def store(self):
        return self.path("stet-data")

    def read(self):
        return Store(self.store, REDUCERS)

    def build(self, batches, *words):
        """Have mason build a store, or go on with it."""
        done = subprocess.run(
            [MASON, self.store, str(self.random.randrange(1 << 32)),
             str(batches), *words], stderr=subprocess.PIPE)
        wanted = -signal.SIGKILL if "kill" in words else 0
        self.assertEqual((done.returncode, done.stderr), (wanted, b""))

    def said(self, *args):
        """What stet says, one line of JSON an item."""
        return [plain(line) for line in self.ask(*args, "--json").lines]

    def ask(self, *args):
        """Run a command that reads; it may say what it does not show."""
        answer = self.run_stet(*args)
        self.assertEqual(answer.code, DONE, answer)
        self.assertIn(answer.err, ("", self.unshown), answer)
        return answer

    # Comparing.

    def compare_machines(self, store, ns):
        end = len(store.records)
        self.unshown = "" if store.known == end else \
            f"stet: positions {store.known} to {end - 1} are not known " \
            "durable and not shown\n"
        told = self.said("machine", "list", "--deleted", "--namespace",
                         str(ns))
        self.assertEqual(
            [(m["state_machine_id"].encode(), m["seq"], m["position"],
              m["current_state"], m["is_deleted"]) for m in told],
            [(h.key.id, str(h.seq), str(h.position), h.name.decode() or None,
              h.is_deleted) for h in store.list(ns, with_deleted=True)])

    def compare_history(self, store, key, with_states=True):
        """Every event of a machine, and the state after each."""
        verb = "replay" if with_states else "history"
        told = self.said("machine", verb, key.id.decode(), "--namespace",
                         str(key.ns))
        found = []
        for record, state in store.states(key):
            members = event_members(record)
            if with_states:
                members["state"] = state and state_members(state)
            found.append(plain(put_json(members)))
        self.assertEqual(len(found), len(told), key)
        for mine, theirs in zip(found, told):
            self.assertEqual(mine, theirs, key)

    def compare_loads(self, store, key, most):
        """Single loads, by seq and by both times."""
        history = store.history(key)
        for record in spread(history, most):
            self.compare_load(store, key, record, str(record.seq))
            for time, find, words in (
                    (record.occurred_max, store.at_time, ()),
                    (record.recorded, store.at_recorded, ("--recorded",))):
                self.compare_load(store, key, find(key, time),
                                  time_text(time), *words)

    def compare_load(self, store, key, record, at, *words):
        told = self.run_stet("machine", "load", key.id.decode(), "--at", at,
                             "--namespace", str(key.ns), *words)
        state = store.state(record)
        self.assertEqual((told.code, told.raw),
                         (DONE, state.data) if state else (NO, b""), (key, at))

    def compare_checkpoints(self, store, ns, machine):
        told = self.said("checkpoint", "list", *machine, "--namespace",
                         str(ns))
        wanted = machine[0].encode() if machine else None
        found = [c for c in store.checkpoints()
                 if c.id == wanted and (c.ns == ns or not machine)]
        self.assertEqual(
            [(c["name"], c["turn_number"], c["position"], c["history_size"],
              c["created_at"]) for c in told],
            [(c.name.decode(), str(c.seq), str(c.position),
              str(c.history_size), c.created_at) for c in found])

    def compare_all(self, store=None, with_states=True):
        """Everything that both can be asked."""
        store = store or self.read()
        for ns in NAMESPACES:
            self.compare_machines(store, ns)
            for head in store.list(ns, with_deleted=True):
                self.compare_history(store, head.key, with_states)
                self.compare_checkpoints(store, ns, [head.key.id.decode()])
            events = self.said("log", "query", "--namespace", str(ns))
            self.assertEqual([e["position"] for e in events],
                             [str(r.position)
                              for r in store.records[1:store.known]
                              if r.key.ns == ns])
        self.compare_checkpoints(store, 0, [])
        info = self.ask("store", "info", "--json").json
        self.assertEqual(
            (info["events"], info["torn_bytes"],
             info["uuid"].replace("-", "")),
            (store.known - 1, store.segments.torn_bytes,
             store.segments.super.uuid.hex()))
        verify(store)


class Sound(ReaderCase):
    def test_stores_of_every_shape(self):
        """Forks, deletions, batches, keys, late times, all reducers; most
        segments sealed, several jumped over. Not every store has all of them:
        as many are made as it takes, within reason."""
        seen = collections.Counter()
        missed = FEATURES
        least, built = rounds(2, 30, 1), 0
        while built < least or (missed and built < least + STORES_MORE):
            built += 1
            self.build(200)
            store = self.read()
            self.compare_all(store)
            heads = [h for ns in NAMESPACES for h in store.list(ns)]
            for head in self.random.sample(heads, 3):
                self.compare_loads(store, head.key, 6)
            seen.update(features(store))
            missed = [f for f in FEATURES if seen[f] == 0]
        self.assertEqual(missed, [])

    def test_reducers_of_the_application(self):
        """Their states come out by their check values: the command has no
        such reducers."""
        self.build(150, "custom")
        store = self.read()
        self.assertEqual(verify(store).unfolded, 0)
        self.assertGreater(sum(r.form == layout.CUSTOM
                               for r in store.records[1:]), 0)
        self.compare_all(store, with_states=False)
        without = Store(self.store)
        self.assertGreater(verify(without).unfolded, 0)

    def test_a_store_of_many_short_runs(self):
        """Each command line opens and closes the store, and copies what the
        one before left. Forks of forks."""
        for n in range(rounds(12, 40, 6)):
            self.stet("machine", "step", f"m{n % 5}", "--payload",
                      f'{{"n":{n}}}', "--at", str(1000 - n), "--key", f"k{n}")
        self.stet("checkpoint", "set", "here", "m1")
        self.stet("machine", "fork", "m1", "m1/fork")
        self.stet("machine", "update", "m1/fork", '{"own":[1.0]}')
        self.stet("machine", "fork", "m1/fork", "m1/fork/late")
        self.stet("machine", "fork", "m1/fork", "m1/fork/early", "--at", "1")
        self.stet("machine", "delete", "m2")
        self.stet("machine", "save", "m2", stdin="\x00 not json")
        self.compare_all()
        for key in (b"m1", b"m1/fork/late", b"m1/fork/early", b"m2"):
            self.compare_loads(self.read(), Key(0, key), 20)

    @unittest.skipIf(no_data(RECEIPT), no_data(RECEIPT))
    def test_a_real_log(self):
        """1,434 machines, of which some are compared event by event."""
        self.assertEqual(self.run_stet("import", RECEIPT).code, DONE)
        store = self.read()
        self.compare_machines(store, 0)
        heads = list(store.list())
        for head in self.random.sample(heads, rounds(20, 200, 5)):
            self.compare_history(store, head.key)
        self.compare_loads(store, heads[0].key, 20)
        report = verify(store)
        self.assertEqual((report.machines, report.records), (1434, 10011))


FEATURES = ("a set", "a merged index", "a fork", "a deletion",
            "a life after it", "a batch", "a key", "a late time", "a jump",
            "a delta", "a packed base", "a checkpoint", "another namespace",
            *(f"form {form}" for form in range(1, 7)))


def features(store):
    """Which of FEATURES a store has, with how often."""
    seen = collections.Counter()
    for r in store.records[1:]:
        before = store.before(r)
        seen[f"form {r.form}"] += 1
        seen["a fork"] += r.kind == layout.FORKED
        seen["a deletion"] += r.kind == layout.DELETED
        seen["a batch"] += not r.has(layout.BATCH_FIRST)
        seen["a key"] += r.idempotency is not None
        seen["a late time"] += r.occurred_max_over > 0
        seen["a delta"] += r.form == layout.DELTA
        seen["a packed base"] += bool(r.base_state) and r.base_state.is_packed
        seen["a checkpoint"] += r.key.ns == OWN
        seen["another namespace"] += r.key.ns not in (0, OWN)
        seen["a life after it"] += before is not None and \
            before.kind == layout.DELETED
    seen["a set"] = sum(isinstance(f, Set) for f in store.segments.chain)
    seen["a merged index"] = len(store.segments.merged)
    seen["a jump"] = sum(run.jump is not None for run in runs(store))
    return seen


def runs(store):
    for file in store.segments.chain:
        if file.trailer is None:
            continue
        span = file.trailer.section(layout.DIRECTORY)
        for number in range(span.first_block, span.first_block + span.blocks):
            at = file.end + number * layout.W
            cursor = layout.Cursor(layout.read_index_block(
                file.data[at:at + layout.W], layout.DIRECTORY, number,
                file.trailer.salt))
            while cursor.left > 0:
                yield layout.read_run(cursor, file.trailer)


class Unclean(ReaderCase):
    """Stores as a kill leaves them, before anybody has repaired anything."""

    def killed(self, words):
        """A store that was killed with records above what is known. Its
        keeper may have written the mark just before: then once more."""
        for _ in range(STORES_MORE):
            self.build(60, *words)
            store = self.read()
            if len(store.records) > store.known:
                return store
        self.fail("all that was written is known, each time")

    def test_what_is_known_is_shown_and_nothing_else(self):
        """A reader beside a killed writer; then a writer opens, and shows
        what was whole but not known."""
        for words in (["kill"], ["kill", "os"], ["kill", "custom"]) * \
                rounds(1, 10, 1):
            store = self.killed(words)
            self.assertFalse(all(f.trailer for f in store.segments.chain))
            self.compare_all(store, with_states="custom" not in words)
            self.build(0, "custom")
            after = self.read()
            self.assertEqual(event_list(after), event_list(store))
            self.assertEqual(after.known, len(after.records))
            self.assertTrue(after.segments.is_clean)

    def test_killed_at_any_moment(self):
        """Threads at work, some frames torn: nothing acknowledged is
        missing, and what is torn is told alike."""
        acked = {}
        for run in range(rounds(4, 40, 2)):
            scribe = Scribe(cwd=self.folder)
            scribe.send("open stet-data segment=65536", f"mixed {run} 3 9999")
            enough = self.random.randrange(1, 400)
            scribe.hear(lambda text: text.count(b"\nack ") >= enough)
            for event in scribe.kill().of(Event):
                acked[event.position] = event
            store = self.read()
            for position, event in acked.items():
                record = store.records[position]
                self.assertEqual((record.key.id.decode(), record.seq),
                                 (event.id, event.seq))
            self.compare_all(store)
            told = run_scribe("open stet-data", "tell", "close",
                              cwd=self.folder).tellings[0]
            self.assertEqual([(e.position, e.id, e.seq) for e, _ in told],
                             [(r.position, r.key.id.decode(), r.seq)
                              for r in store.records[1:]])


    def test_killed_while_it_recovers(self):
        """Before each write of a recovery, and of the clean end after it:
        what files are left counts for both alike."""
        if not can_inject():
            self.skipTest("strace cannot inject signals here")
        self.build(60, "kill")
        os.rename(self.store, self.path("killed"))
        whole = event_list(Store(self.path("killed"), REDUCERS))
        kills = collections.Counter()
        for call in CHANGES[:1] if IS_SLOW else CHANGES:
            nth = 0
            while kills[call] == nth:
                nth += 1
                shutil.copytree(self.path("killed"), self.store)
                kills[call] += self.reopen_and_kill(call, nth)
                store = self.read()
                self.assertEqual(event_list(store), whole, (call, nth))
                for ns in NAMESPACES:
                    self.compare_machines(store, ns)
                verify(store)
                shutil.rmtree(self.store)
        self.assertGreater(kills["pwrite64"], 3)

    def reopen_and_kill(self, call, nth):
        """Open and close, killed before the nth call; was there one?"""
        code = subprocess.run(
            [*STRACE, f"inject={call}:signal=KILL:when={nth}", MASON,
             self.store, "1", "0"]).returncode
        self.assertIn(code, (0, -signal.SIGKILL))
        return code != 0


# Leaks cannot be looked for in a traced process.
STRACE = ("strace", "-f", "-qq", "-o", "/dev/null", "-E", "ASAN_OPTIONS=" +
          os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0", "-e")
# Calls that change what a store's folder holds, or make it durable.
CHANGES = ("pwrite64", "ftruncate", "fallocate", "linkat", "renameat",
           "unlinkat", "fdatasync", "fsync")


def can_inject():
    return shutil.which("strace") is not None and subprocess.run(
        [*STRACE, "inject=getpid:signal=KILL:when=1", "true"],
        capture_output=True).returncode == 0


def event_list(store):
    """Everything that the log says, without where it lies."""
    return [(r.position, r.recorded, put_json(event_members(r)))
            for r in store.records[1:]]


class Rot(ReaderCase):
    """stet and the reader take the same bytes for damaged; where they do not,
    what both say is what it was."""

    def remember(self):
        """Take the store as it is for the truth."""
        store = self.read()
        self.truth = event_list(store)
        self.durable = store.known - 1  # of them
        self.is_clean = store.segments.is_clean
        # Where every byte counts: headers, frames and indexes, but for the
        # trailer, without which a segment is read by its frames.
        self.counting = {
            file.name: len(file.data) - layout.W if file.trailer else file.end
            for file in store.segments.chain}
        self.files = {}
        for name in os.listdir(self.store):
            with open(os.path.join(self.store, name), "rb") as file:
                self.files[name] = file.read()

    @contextlib.contextmanager
    def instead(self, name, data):
        """The file has other bytes, or is not there."""
        path = os.path.join(self.store, name)
        try:
            if data is None:
                os.unlink(path)
            else:
                with open(path, "wb") as file:
                    file.write(data)
            yield
        finally:
            with open(path, "wb") as file:
                file.write(self.files[name])

    def judge(self):
        """The reader's judgement: the damage it met, or None."""
        try:
            store = self.read()
            verify(store)
        except Damage as damage:
            return damage
        self.known = store.known
        found = event_list(store)
        self.assertEqual(found, self.truth[:len(found)])
        self.assertGreaterEqual(len(found), self.durable)
        return None

    def compare(self, name, data, what):
        """Judge a changed store; gives the damage that both found."""
        with self.instead(name, data):
            damage = self.judge()
            told = self.run_stet("store", "verify")
            self.assertEqual(told.code, DAMAGED if damage else DONE,
                             (name, what, damage, told.err))
            if not damage:
                events = self.run_stet("store", "info", "--json").json["events"]
                self.assertEqual(events, self.known - 1, (name, what))
        return damage

    def flip(self, name):
        """Change a byte, mostly one that counts."""
        data = self.files[name]
        counting = self.counting.get(name, 0)
        at = self.random.randrange(
            counting if counting and self.random.random() < 0.9 else
            len(data))
        bits = self.random.randrange(1, 256)
        damage = self.compare(name, data[:at] + bytes([data[at] ^ bits]) +
                              data[at + 1:], f"byte {at} ^ {bits}")
        if at < counting and self.is_clean:
            self.assertIsNotNone(damage, (name, at))

    def cut(self, name):
        """Cut a file, often between blocks."""
        data = self.files[name]
        at = self.random.randrange(len(data))
        at -= at % layout.W if self.random.random() < 0.5 else 0
        self.compare(name, data[:at], f"cut at {at}")

    def rot(self, flips, cuts):
        """Change bytes, cut files, take files away."""
        self.remember()
        for name in sorted(self.files):
            if name == "LOCK":
                continue
            for _ in range(flips if name in self.counting else flips // 3):
                self.flip(name)
            for _ in range(cuts):
                self.cut(name)
            self.compare(name, None, "removed")

    def test_a_store_at_rest(self):
        """After a clean stop nearly every byte counts."""
        self.build(90)
        self.rot(rounds(15, 300, 3), rounds(2, 40, 1))

    def test_a_store_that_had_been_at_rest(self):
        """Killed before super names the segment that goes on."""
        self.build(90)
        self.build(12, "kill")
        self.rot(rounds(15, 300, 3), rounds(2, 40, 1))

    def test_a_store_that_was_killed(self):
        """Its last segment ends where frames do."""
        self.build(90, "kill")
        self.rot(rounds(15, 300, 3), rounds(2, 40, 1))


class Backups(ReaderCase):
    """A backup folder is read by its own page, too."""

    url = None

    def run_stet(self, *args, **more):
        """About the backup that is looked at, if one is."""
        store = ("--store", self.url) if self.url else ()
        return super().run_stet(*store, *args, **more)

    def back_up(self):
        """Of a store that goes on: some files are of the backup before."""
        for words in ([], ["kill"], []):
            self.build(60, *words)
            answer = self.run_stet("backup", "create", "b")
            self.assertEqual(answer.code, DONE, answer)
            self.assertEqual(self.run_stet("store", "compact").code, DONE)
        self.stet("backup", "create", "b")
        return self.path("b"), backups.numbers(self.path("b"))

    def test_every_backup_is_read_alike(self):
        """What it is said to be, and all that is in it."""
        folder, numbers = self.back_up()
        due = [put_json(backup_members(backups.manifest(folder, n)))
               for n in numbers]
        told = self.stet("backup", "list", "b", "--json").out.splitlines()
        self.assertEqual([plain(d) for d in due], [plain(t) for t in told])
        shared = 0
        for number in numbers:
            found = backups.Backup(folder, number)
            shared += len(found.manifest.files) - found.manifest.new_files
            store = Store(found, REDUCERS)
            self.url = f"backup:b#{number}"
            self.compare_machines(store, 0)
            for head in spread(list(store.list()), 3):
                self.compare_history(store, head.key)
            verify(store)
            backups.check(store)
            self.url = None
        self.assertGreater(shared, 0)
        self.assertGreater(len({f.kind for n in numbers for f in
                                backups.manifest(folder, n).files}), 1)

    def test_the_same_is_damage(self):
        """No byte of a backup counts for the one and not for the other."""
        folder, numbers = self.back_up()
        names = sorted(n for n in os.listdir(folder) if n != "LOCK")
        for name in self.random.sample(names, rounds(4, len(names), 2)):
            for _ in range(rounds(1, 20, 1)):
                with open(os.path.join(folder, name), "r+b") as file:
                    data = file.read()
                    at = self.random.randrange(len(data))
                    file.seek(at)
                    file.write(bytes([data[at] ^ 0x40]))
                for number in numbers:
                    told = self.run_stet("backup", "verify", "b", "--backup",
                                         str(number))
                    self.assertEqual(told.code, self.judge(folder, number),
                                     (name, at, number, told.err))
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)

    @staticmethod
    def judge(folder, number):
        try:
            store = Store(backups.Backup(folder, number), REDUCERS)
            verify(store)
            backups.check(store)
        except Damage:
            return DAMAGED
        return DONE


class Pieces(ReaderCase):
    """What the page says by itself."""

    def test_checksums_are_those_of_their_specifications(self):
        """Vectors from outside."""
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(b"6789", crc32c(b"12345")), 0xE3069283)
        self.assertEqual(xxh3(b""), 0x2D06800538D394C2)

    def test_golden_folds(self):
        """Vectors that were made once, for every reader. What is too large
        is the writer's to refuse."""
        for name in ("merge", "assign", "patch"):
            with open(os.path.join(GOLDEN, f"{name}.json"), "rb") as file:
                cases = [c for c in json.load(file)["cases"]
                         if c.get("refused") != "too_large"]
            self.assertGreater(len(cases), 5)
            for case in cases:
                self.assertEqual(folded(name, case), case.get("result"),
                                 case["name"])

    def test_the_record_of_the_page(self):
        """Its bytes mean what stands beside them."""
        with open(PAGE, encoding="utf-8") as page:
            example = re.search(
                r"\n## \d+\. A record, byte by byte\n.*?\n## ", page.read(),
                re.S)
        data = b"".join(map(bytes.fromhex, re.findall(
            r"^\| `([0-9a-f ]+)` \|", example[0], re.M)))
        self.assertEqual(layout.sound_record(data), data)
        record = layout.parse_record(data)
        self.assertEqual(
            (record.kind, record.form, record.key, record.seq, record.back,
             record.depth, record.occurred_delta, record.body),
            (layout.SAVED, layout.WHOLE, Key(0, b"m"), 1, 0, 0, 0,
             b'{"a":1}'))
        self.assertEqual(record.flags, layout.BASE | layout.BATCH_FIRST |
                         layout.BATCH_LAST)
        self.assertEqual(record.check, xxh3(record.body))
        self.assertEqual(record.created_at, time_of("2020-09-13T12:26:40Z"))

    def test_keys_are_hashed_with_their_namespace(self):
        """A writer from elsewhere must find the first answer."""
        for ns in (0, 7):
            self.stet("machine", "save", "m", "--key", "once", "--namespace",
                      str(ns), stdin="{}")
        self.assertEqual([r.idempotency.hash for r in self.read().records[1:]],
                         [xxh3_128(b"once", ns) for ns in (0, 7)])

    def test_the_command_line(self):
        """As the page's readers will use it."""
        self.stet("machine", "create", "m", "--to", "lobby")
        self.stet("machine", "update", "m", '{"n":1}')
        self.assertEqual(self.run_reader("list"), (0, "m\tlobby\t2\n"))
        self.assertEqual(self.run_reader("load", "m"), (0, '{"n":1}'))
        self.assertEqual(self.run_reader("load", "m", "1"), (0, "{}"))
        self.assertEqual(self.run_reader("load", "m", "3"), (1, ""))
        self.assertEqual(self.run_reader("verify")[0], 0)
        _, history = self.run_reader("history", "m", "--json", "--states")
        self.assertEqual([plain(line) for line in history.splitlines()],
                         self.said("machine", "replay", "m"))
        self.stet("backup", "create", "b")
        self.assertEqual(self.run_reader("backups", store=self.path("b")),
                         (0, "1\t2\n"))
        self.assertEqual(
            self.run_reader("verify", store=f"backup:{self.path('b')}#1"),
            self.run_reader("verify"))
        os.truncate(os.path.join(self.store, "super"), 0)
        self.assertEqual(self.run_reader("verify"), (4, ""))

    def run_reader(self, *args, store=None):
        done = subprocess.run(
            [sys.executable, READER, store or self.store, *args],
            capture_output=True, text=True)
        return done.returncode, done.stdout


def folded(name, case):
    """What the reader makes of a vector; None: it is refused."""
    try:
        return getattr(fold, name)(case["state"].encode(),
                                   case["payload"].encode()).decode()
    except Malformed:
        return None


if __name__ == "__main__":
    main()
