#!/usr/bin/env python3
"""import and export: real logs in, out and in again; broken, repeated and
killed imports."""
import collections
import datetime
import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import (DAMAGED, DONE, ENVIRONMENT, NO, ROOT, STET, USAGE,
                     StetCase, main)

DATA = os.path.abspath(os.environ.get(
    "STET_TEST_DATA", os.path.join(ROOT, "..", "shared", "data")))
RECEIPT = os.path.join(DATA, "receipt.xes.gz")
EXPRESS = os.path.join(DATA, "express_package_json.jsonl.gz")
FORMATS = ("xes", "csv", "jsonl")
KILL_ROUNDS = int(os.environ.get("STET_KILL_ROUNDS", "10"))

# Every kind of event, with what formats find hard to hold.
MIXED = r"""
{"id":"g1","ts":1,"kind":"created","actor":"p","state":{"phase":"lobby", "n":1},"machine_metadata":{"k":1},"state_type":"game","version":"1.0.0"}
{"id":"g1","ts":2,"from":"lobby","to":"deal","action":"start","actor":"ann","payload":{"n":2,"x":null},"metadata":{"is_admin":true},"duration_ms":1.5,"event_id":"e1","correlation":"c","causation":"d"}
{"id":"g1","ts":3,"kind":"updated","payload":{"y":{"z":[1,2]}}}
{"id":"g1","ts":4,"kind":"updated","reducer":"patch","payload":[{"op":"add","path":"/q","value":"<&\"'>"}]}
{"id":"g1","ts":5,"kind":"appended","payload_base64":"/wD+"}
{"id":"g1","ts":6,"kind":"failed","error":"boom\nline","payload":{}}
{"id":"g1","ts":7,"to":"turn","action":"go","reducer":"assign","payload":{"n":null},"phase_change":true}
{"id":"g1","ts":7.000000001,"to":"turn","action":"go","reducer":"set","payload":{"whole": 1}}
{"id":"g1","ts":8,"state":"text state"}
{"id":"g1","ts":9,"kind":"saved","state_base64":"/wD+"}
{"id":"g1","ts":10,"kind":"saved","state":{"phase":"over"},"machine_metadata":{"k":2}}
{"id":"g1","ts":11,"kind":"deleted","actor":"me"}
{"id":"g1","ts":12,"state":{"back":true}}
{"id":"g1","ts":13,"kind":"restored","state":{"r":1}}
{"id":"g2, \"two\"","ts":-1,"to":"a","action":"b"}
{"id":"g2, \"two\"","ts":0,"to":"","action":"noop"}
{"id":"g2, \"two\"","ts":1,"to":"c","action":"c","from":"elsewhere"}
{"id":"g3","ts":1,"kind":"saved","state_base64":""}
{"id":"gone","ts":1,"kind":"saved","state":1}
{"id":"gone","ts":2,"kind":"deleted"}
""".lstrip()


def needs(path):
    return unittest.skipUnless(os.path.exists(path), f"no {path}")


class ImportCase(StetCase):
    def imported(self, *args, store="stet-data", stdin=b""):
        """Import and give the summary; what is left out may be told."""
        answer = self.run_stet("import", *args, "--store", store, "--json",
                               stdin=stdin)
        self.assertEqual(answer.code, DONE, answer)
        for line in answer.err.splitlines():
            self.assertRegex(line, r"^stet: .* left out: ")
        return answer.json

    def exported(self, *args, store="stet-data"):
        """All histories as bytes, JSON Lines unless told otherwise."""
        return self.stet("export", *args, "--store", store).raw


class Real(ImportCase):
    @needs(RECEIPT)
    def test_the_receipt_log_survives_export_and_import(self):
        """Other tools take what we export; so do we, without loss."""
        self.assertEqual(
            self.imported(RECEIPT),
            {"machines": 1434, "events": 1434 + 8577, "transitions": 8577,
             "repeated": 0, "ignored": 85})
        before = self.exported()
        for form in FORMATS:
            name = self.write(f"log.{form}", self.exported("--format", form))
            n = self.imported(name, store=form)
            self.assertEqual((n["machines"], n["transitions"]), (1434, 8577))
            self.assertTrue(self.exported(store=form) == before, form)

    @needs(RECEIPT)
    def test_the_flow_is_the_directly_follows_graph(self):
        """Computed here from the XML by the book."""
        self.imported(RECEIPT)
        nodes, gaps = collections.Counter(), collections.defaultdict(list)
        with gzip.open(RECEIPT) as file:
            log = ElementTree.parse(file).getroot()
        for trace in log.findall("{*}trace"):
            last = since = None
            for event in trace.findall("{*}event"):
                values = {a.get("key"): a.get("value") for a in event}
                to = values["concept:name"]
                at = datetime.datetime.fromisoformat(values["time:timestamp"])
                nodes[to] += 1
                gaps[last, to].append(
                    (at - (since or at)) / datetime.timedelta(seconds=1))
                last, since = to, at
        flow = self.stet("log", "flow", "--json").json
        self.assertEqual({n["state"]: n["count"] for n in flow["nodes"]},
                         nodes)
        self.assertEqual({(e["from"], e["to"]): e["count"]
                          for e in flow["edges"]},
                         {edge: len(found) for edge, found in gaps.items()})
        for edge in flow["edges"]:
            found = gaps[edge["from"], edge["to"]]
            self.assertAlmostEqual(edge["mean_seconds"],
                                   sum(found) / len(found), 3)

    @needs(EXPRESS)
    def test_every_manifest_is_kept_to_the_byte(self):
        """At its seq and at its time, in a tenth of the room."""
        self.imported(EXPRESS)
        with gzip.open(EXPRESS) as file:
            lines = file.read().splitlines()
        states = [line[line.index(b'"state":') + 8:-1] for line in lines]
        times = [json.loads(line)["ts"] for line in lines]
        back = self.exported().splitlines()
        self.assertEqual(len(back), 588)
        for line, state in zip(back, states):
            self.assertTrue(line.endswith(b'"state":' + state + b"}"))
        for i in range(0, 588, 42):
            moment = datetime.datetime.fromtimestamp(
                times[i], datetime.timezone.utc).isoformat()
            for at in (str(i + 1), moment):
                self.assertEqual(
                    self.stet("machine", "load", "package.json", "--at",
                              at).raw, states[i])
        info = self.stet("store", "info", "--json").json
        self.assertEqual(info["state_raw_bytes"], sum(map(len, states)))
        self.assertLessEqual(info["log_bytes"],
                             info["state_raw_bytes"] * 0.10)


class RoundTrip(ImportCase):
    def test_every_kind_of_event_survives_each_format(self):
        """An export is a way out that is also a way back in."""
        self.imported(self.write("mixed.jsonl", MIXED))
        self.stet("machine", "fork", "g1", "fork", "--at", "3")
        before = self.exported("--deleted")
        self.assertEqual(before.count(b"\n"), 20 + 4)
        for form in FORMATS:
            name = self.write(f"log.{form}",
                              self.exported("--format", form, "--deleted"))
            self.imported(name, store=form)
            self.assertEqual(self.exported("--deleted", store=form), before)

    def test_xes_is_what_other_tools_read(self):
        """Well-formed, and each attribute once."""
        self.imported(self.write("mixed.jsonl", MIXED))
        log = ElementTree.fromstring(self.exported("--format", "xes"))
        traces = list(log.findall("{*}trace"))
        self.assertEqual(
            [t.find("{*}string[@key='concept:name']").get("value")
             for t in traces], ["g1", 'g2, "two"', "g3"])
        for part in log.iter():
            keys = [a.get("key") for a in part if a.get("key")]
            self.assertEqual(len(keys), len(set(keys)))

    def test_a_pattern_and_deleted_choose_what_is_exported(self):
        """A deleted machine has a history too, for those who ask."""
        self.imported(self.write("mixed.jsonl", MIXED))

        def ids(*args):
            return {json.loads(line)["id"]
                    for line in self.exported(*args).splitlines()}
        self.assertEqual(ids(), {"g1", 'g2, "two"', "g3"})
        self.assertEqual(ids("--deleted"), {"g1", 'g2, "two"', "g3", "gone"})
        self.assertEqual(ids("g[13]"), {"g1", "g3"})
        self.assertEqual(self.exported("x*"), b"")


class Inputs(ImportCase):
    CSV = "case,activity,time,resource\na,go,1,ann\nb,go,2,\na,stop,3,bob\n"

    def test_files_may_be_packed_and_may_be_stdin(self):
        """Each is its own import, whatever way it comes."""
        self.write("one.csv.gz", gzip.compress(self.CSV.encode()))
        n = self.imported("one.csv.gz", "--prefix", "p:")
        self.assertEqual((n["machines"], n["transitions"]), (2, 3))
        n = self.imported("-", "--format", "csv", "--prefix", "p:",
                          stdin=self.CSV)
        self.assertEqual((n["events"], n["repeated"]), (0, 3))
        n = self.imported("-", "--format", "csv", "--prefix", "q:",
                          stdin=gzip.compress(self.CSV.encode()))
        self.assertEqual((n["events"], n["repeated"]), (3, 0))
        self.assertEqual([line.split("\t")[0] for line in
                          self.stet("machine", "list").lines],
                         ["p:a", "p:b", "q:a", "q:b"])

    def test_a_namespace_is_a_world_of_its_own(self):
        """Also for the keys that make repeats harmless."""
        name = self.write("a.csv", self.CSV)
        for ns in ("0", "7"):
            n = self.imported(name, "--namespace", ns)
            self.assertEqual((n["events"], n["repeated"]), (3, 0))
        self.assertEqual(
            self.exported("--namespace", "0"),
            self.exported("--namespace", "7"))

    def test_columns_are_named_by_options(self):
        """Where a log has words of its own."""
        name = self.write("a.csv", "Room;x,What,When,Who\nr,w,1,p\n")
        self.imported(name, "--case", "Room;x", "--activity", "What",
                      "--timestamp", "When", "--resource", "Who")
        [event] = map(json.loads, self.exported().splitlines())
        self.assertEqual(
            (event["id"], event["to"], event["actor"], event["ts"]),
            ("r", "w", "p", "1970-01-01T00:00:01Z"))
        self.refused(USAGE, "import", self.write("b.csv", "a,b\n1,2\n"),
                     says=("no case column among a, b", "--case"))

    def test_unknown_members_are_told_and_can_be_kept(self):
        """Nothing is left out in silence."""
        name = self.write("a.jsonl", '{"id":"a","state":1,"rev":"x"}\n')
        answer = self.run_stet("import", name)
        self.assertEqual(answer.err, "stet: a.jsonl: 1 left out: rev "
                         "(--keep-unknown puts them into the metadata)\n")
        self.stet("import", name, "--keep-unknown", "--prefix", "k:")
        self.assertIn(b'"metadata":{"rev":"x"}', self.exported("k:a"))

    def test_what_cannot_be_read_is_refused_before_anything_is_made(self):
        """A slip in a name must not leave a store behind."""
        good = self.write("a.csv", self.CSV)
        self.refused(USAGE, "import", good, self.write("b.txt", "x"),
                     says=("b.txt does not tell the format", "--format"))
        self.refused(USAGE, "import", "-", says="--format")
        self.refused(ENVIRONMENT, "import", good, "none.csv",
                     says="open none.csv: No such file")
        self.assertFalse(os.path.exists(self.path("stet-data")))
        os.mkdir(self.path("d.csv"))
        self.refused(ENVIRONMENT, "import", "d.csv",
                     says="Is a directory")

    def test_a_machine_that_is_there_already_is_named(self):
        """Two logs that use the same names need a prefix."""
        self.stet("machine", "save", "a", "--payload", "1")
        log = self.write("a.xes", "<log><trace><string key='concept:name' "
                         "value='a'/></trace></log>")
        self.refused(NO, "import", log, says=("a.xes", "a", "--prefix"))
        self.assertEqual(self.imported(log, "--prefix", "p:")["machines"], 1)
        twice = self.write("b.xes", "<log>" + 2 * "<trace><string "
                           "key='concept:name' value='b'/></trace>\n" +
                           "</log>")
        self.refused(NO, "import", twice,
                     says="line 2: b is created twice")
        self.refused(NO, "machine", "load", "b")

    def test_a_broken_download_is_damage(self):
        """And what was whole before the break is kept, once."""
        lines = "".join(f'{{"id":"m","ts":{i},"state":"{random.random()}"}}\n'
                        for i in range(5000))
        packed = gzip.compress(lines.encode())
        self.write("a.jsonl.gz", packed[:len(packed) // 2])
        answer = self.refused(DAMAGED, "import", "a.jsonl.gz",
                              says="it is cut short")
        stored = int(re.search(r"stored (\d+) events", answer.err).group(1))
        self.assertGreater(stored, 0)
        self.write("a.jsonl.gz", packed)
        n = self.imported("a.jsonl.gz")
        self.assertEqual((n["repeated"], n["events"]), (stored, 5000 - stored))
        self.assertEqual(self.exported().count(b"\n"), 5000)


class Faults(ImportCase):
    @staticmethod
    def lines(count):
        return [f'{{"id":"m{i % 7}","ts":{i},"to":"s{i}"}}\n'
                for i in range(count)]

    def test_an_import_goes_on_where_a_malformed_line_ended_it(self):
        """The line is named, and once it is mended nothing is missing or
        doubled, at whatever place in a batch it stands."""
        for wrong_at in (0, 1, 999, 1000, 1001, 2500):
            store = f"store{wrong_at}"
            lines = self.lines(3000)
            mended = self.write("good.jsonl", "".join(lines))
            lines[wrong_at] = '{"id":"m1","ts":"soon"}\n'
            broken = self.write("bad.jsonl", "".join(lines))
            whole = wrong_at // 1000 * 1000
            self.refused(
                USAGE, "import", broken, "--store", store,
                says=(f"stored {whole} events",
                      f'line {wrong_at + 1}: ts cannot be "soon"'))
            n = self.imported(mended, store=store)
            self.assertEqual((n["repeated"], n["events"]),
                             (whole, 3000 - whole))
            self.imported(mended, store="clean")
            self.assertEqual(self.exported(store=store),
                             self.exported(store="clean"))

    def test_one_changed_byte_is_another_import(self):
        """The keys are made of content, not of names or times."""
        lines = self.lines(1500)
        self.imported(self.write("a.jsonl", "".join(lines)))
        lines[1200] = lines[1200].replace('"s1200"', '"t1200"')
        n = self.imported(self.write("a.jsonl", "".join(lines)))
        self.assertEqual((n["repeated"], n["events"]), (1000, 500))

    def test_a_refusal_of_the_store_names_the_lines(self):
        """What only the store can judge is told by its batch."""
        name = self.write("a.jsonl", '{"id":"a","state":"text"}\n'
                          '{"id":"a","to":"x","payload":{"a":1}}\n')
        self.refused(USAGE, "import", name, says="lines 1 to 2: ")

    def test_killed_imports_end_whole(self):
        """However often it dies, a repeated import ends with each event
        once."""
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        name = self.write("a.jsonl", "".join(self.lines(20000)))
        self.imported(name, store="clean")
        want = self.exported(store="clean")
        took = time.monotonic()
        self.imported(name, store="timed")
        took = time.monotonic() - took
        for number in range(KILL_ROUNDS):
            store = f"store{number}"
            for _ in range(dice.randrange(1, 4)):
                process = subprocess.Popen(
                    [STET, "import", name, "--store", store],
                    cwd=self.folder, stdout=subprocess.DEVNULL)
                try:
                    process.wait(dice.random() * took)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
            n = self.imported(name, store=store)
            self.assertEqual(n["events"] + n["repeated"], 20000,
                             f"seed {seed}")
            self.assertTrue(self.exported(store=store) == want,
                            f"seed {seed}, round {number}")


if __name__ == "__main__":
    main()
