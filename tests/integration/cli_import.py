#!/usr/bin/env python3
"""import and export: in, out and in again; what is refused, and where an
import that ended early goes on. Real logs are in real_*.py, killed imports in
fault_kill_import.py."""
import gzip
import json
import os
import random
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import (DAMAGED, DONE, ENVIRONMENT, NO, USAGE, StetCase,
                     main)

FORMATS = ("xes", "csv", "jsonl")

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

    def test_a_pipe_by_name_is_read_once(self):
        """Whoever writes it has one reader, and what that one does not take
        is gone."""
        os.mkfifo(self.path("pipe.csv"))
        writer = subprocess.Popen(
            ["sh", "-c", 'printf "%s" "$0" >pipe.csv', self.CSV],
            cwd=self.folder)
        n = self.imported("pipe.csv")
        self.assertEqual((writer.wait(), n["transitions"]), (0, 3))

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


if __name__ == "__main__":
    main()
