#!/usr/bin/env python3
"""docs/FORMAT.md is held to what stet writes: tests/lib/stetformat.py, written
from that page alone, reads stores and must say what stet says."""
import hashlib
import json
import os
import random
import re
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import stetformat
from scribe import Event, Scribe, rounds, run_scribe
from stetcli import DAMAGED, ROOT, StetCase, main
from stetformat import Damage, Store

SEED = int(os.environ.get("STET_SEED", random.randrange(1 << 32)))
PAGE = os.path.join(ROOT, "docs", "FORMAT.md")
GOLDEN = os.path.join(ROOT, "tests", "golden", "fold")
KINDS = ("created saved transitioned updated appended failed forked migrated "
         "restored deleted").split()


class FormatCase(StetCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        print(f"STET_SEED={SEED}")

    def read(self):
        return Store(self.path("stet-data"))


class Reading(FormatCase):
    def random_object(self):
        r = self.random
        values = (None, True, -0.5, "x\u00e4\n\"", [1, {"b": None}], {"c": {}},
                  {"c": None, "d": 1e30}, r.randrange(1 << 70), "y" * 300)
        return json.dumps({r.choice("abcdefg"): r.choice(values)
                           for _ in range(r.randrange(1, 5))})

    def random_state(self):
        r = self.random
        big = json.dumps({f"k{i}": r.choice("pq") * 20 for i in range(60)})
        return r.choice((self.random_object(), big, big))

    def write_something(self, machines):
        """One random command; what it refuses does not matter here."""
        r = self.random
        machine = r.choice(machines)
        time = f"2026-01-{r.randrange(1, 28):02}T00:00:00Z"
        verb = r.choice(("save", "save", "update", "update", "patch", "step",
                         "append", "delete", "fork", "checkpoint", "key"))
        if verb == "save":
            self.run_stet("machine", "save", machine, "--state-type", "t",
                          "--at", time, stdin=self.random_state())
        elif verb == "update":
            self.run_stet("machine", "update", machine, self.random_object())
        elif verb == "patch":
            self.run_stet("machine", "patch", machine, json.dumps(
                [{"op": "add", "path": "/p", "value": [1.0, "~"]},
                 {"op": "copy", "from": "/p", "path": f"/{r.choice('aq')}"},
                 {"op": "test", "path": "/p/0", "value": 1},
                 {"op": "remove", "path": "/p/1"}]))
        elif verb == "step":
            self.run_stet("machine", "step", machine, "--to", r.choice("ABC"),
                          "--action", "go", "--at", time)
        elif verb == "append":
            self.run_stet("machine", "append", machine, self.random_object(),
                          "--reducer", r.choice(("none", "assign")),
                          "--version", "2", "--machine-metadata", '{"m":1}')
        elif verb == "delete":
            self.run_stet("machine", "delete", machine)
        elif verb == "fork":
            new = f"{r.choice('uvw')}{len(machines)}"
            if self.run_stet("machine", "fork", machine, new).code == 0:
                machines.append(new)
        elif verb == "checkpoint":
            self.run_stet("checkpoint", "set", f"n{r.randrange(9)}", machine)
        else:
            self.run_stet("machine", "save", machine, "--key", "once " + time,
                          stdin=b"\x00 not json")

    def compare_event(self, store, record, told):
        self.assertEqual(
            (told["seq"], told["position"], told["kind"]),
            (record.seq, str(record.position), KINDS[record.kind - 1]))
        state, shown = store.state(record), told["state"]
        if state is None:
            self.assertIsNone(shown)
            return
        self.assertEqual(shown["hash"], hashlib.sha256(state.data).hexdigest())
        for name, value in (("current_state", state.name),
                            ("state_type", state.type),
                            ("version", state.version)):
            self.assertEqual(shown[name], value.decode() or None)

    def compare(self):
        """Each event of each machine, and the state after it."""
        store = self.read()
        listed = self.stet("machine", "list", "--json").objects
        heads = {key[1].decode(): r for key, r in store.newest.items()
                 if key[0] == 0 and r.kind != stetformat.DELETED}
        self.assertEqual(
            {m["state_machine_id"]: (m["seq"], m["current_state"] or "")
             for m in listed},
            {name: (r.seq, store.state(r).name.decode())
             for name, r in heads.items()})
        for name in heads:
            told = self.stet("machine", "replay", name, "--json").objects
            records = list(store.lineage(heads[name]))[::-1]
            self.assertEqual(len(told), len(records))
            for record, event in zip(records, told):
                self.compare_event(store, record, event)
        info = self.stet("store", "info", "--json").json
        self.assertEqual((info["events"], info["uuid"].replace("-", "")),
                         (len(store.records), store.uuid.hex()))
        return store

    def test_every_state_is_what_the_library_says(self):
        """Random commands, each an open and a close of its own."""
        machines = ["a", "b", "game:1", "game:2"]
        for _ in range(rounds(4, 40, 2)):
            for _ in range(20):
                self.write_something(machines)
            store = self.compare()
            self.assertTrue(all(s.trailer for s in store.chain))
            self.assertEqual((store.known, store.stop),
                             (store.clean_position,) * 2)

    def test_keys_are_hashed_with_their_namespace(self):
        """A retry from another program must find the first answer."""
        for ns in "0", "7":
            self.stet("machine", "save", "m", "--key", "once", "--namespace",
                      ns, stdin="{}")
        store = self.read()
        for record in store.records:
            self.assertEqual(record.tags[stetformat.KEY][:16],
                             stetformat.xxh3_128(b"once", record.key[0]))

    def test_any_changed_byte_that_counts_is_seen(self):
        """By this reader and by stet: content, header, index, alike."""
        self.stet("machine", "save", "m", stdin=self.random_state())
        self.stet("machine", "update", "m", '{"a":1}')
        store = self.read()
        path = self.path("stet-data", f"{store.live}.seg")
        size = os.path.getsize(path)
        for _ in range(rounds(60, 600, 10)):
            at = self.random.randrange(size)
            with open(path, "r+b") as file:
                file.seek(at)
                was = file.read(1)
                file.seek(at)
                file.write(bytes([was[0] ^ self.random.randrange(1, 256)]))
            try:
                # A trailer that is no more is not missed: frames are scanned.
                if at < size - stetformat.W:
                    self.assertRaises(Damage, self.read)
                    self.assertEqual(self.run_stet("store", "verify").code,
                                     DAMAGED, at)
                else:
                    self.assertEqual(self.read().stop, store.stop)
            finally:
                with open(path, "r+b") as file:
                    file.seek(at)
                    file.write(was)
        self.assertEqual(self.read().stop, store.stop)


class AfterAKill(FormatCase):
    def test_what_is_known_and_what_is_torn_is_told_alike(self):
        """Without a clean end known and stop are found as section 10 says."""
        acked = {}
        for run in range(rounds(5, 40, 2)):
            scribe = Scribe(cwd=self.folder)
            scribe.send("open stet-data segment=65536", f"mixed {run} 3 9999")
            enough = self.random.randrange(1, 400)
            scribe.hear(lambda text: text.count(b"\nack ") >= enough)
            for event in scribe.kill().of(Event):
                acked[event.position] = event
            store = self.read()
            self.assertLess(max(acked), store.stop)
            for position, event in acked.items():
                record = store.by_position[position]
                self.assertEqual((record.key[1].decode(), record.seq),
                                 (event.id, event.seq))
            # It says on stderr what it does not show.
            shown = self.run_stet("log", "query", "--json").objects
            self.assertEqual([int(e["position"]) for e in shown],
                             list(range(1, store.known)))
            said = run_scribe("open stet-data", "tell", cwd=self.folder)
            told = [(e.position, e.id, e.seq) for e, _ in said.tellings[0]]
            self.assertEqual(told, [(r.position, r.key[1].decode(), r.seq)
                                    for r in store.records])
            for record in store.newest.values():
                store.state(record)  # its check is compared


class Page(unittest.TestCase):
    def test_the_record_of_the_page_is_one(self):
        """Section 13 shows bytes; they mean what stands beside them."""
        with open(PAGE, encoding="utf-8") as file:
            example = file.read().split("\n## 13. ")[1].split("\n## 14. ")[0]
        data = b"".join(map(bytes.fromhex,
                            re.findall(r"^\| `([0-9a-f ]+)` \|", example,
                                       re.M)))
        record = stetformat.Record(data, 0, len(data))
        record.recorded = 1600000000 * 10**9
        self.assertEqual((record.end, record.kind, record.flags, record.form),
                         (len(data), 2, 0x31, stetformat.WHOLE))
        self.assertEqual((record.key, record.seq, record.back, record.body),
                         ((0, b"m"), 1, 0, b'{"a":1}'))
        self.assertEqual(record.tags[stetformat.CHECK],
                         struct.pack("<Q", stetformat.xxh3_64(record.body)))
        self.assertEqual(record.tags[stetformat.CREATED_AT],
                         struct.pack("<q", record.occurred()))

    def test_golden_folds(self):
        """The vectors that every reader must agree on."""
        forms = {"merge": stetformat.MERGE, "assign": stetformat.ASSIGN,
                 "patch": stetformat.PATCH}
        for name, form in forms.items():
            with open(os.path.join(GOLDEN, f"{name}.json"), "rb") as file:
                cases = [c for c in json.load(file)["cases"] if "result" in c]
            self.assertGreater(len(cases), 5)
            for c in cases:
                folded = stetformat.fold(form, c["state"].encode(),
                                         c["payload"].encode())
                self.assertEqual(folded.decode(), c["result"], c["name"])


if __name__ == "__main__":
    main()
