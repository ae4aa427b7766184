#!/usr/bin/env python3
"""log: queries, statistics and the discovered flow over many machines."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import ENVIRONMENT, USAGE, StetCase, main

# machine, to, action, actor, seconds, error
STEPS = [
    ("game:1", "lobby", "open", "ann", 0, None),
    ("game:2", "lobby", "open", "bob", 10, None),
    ("game:1", "deal", "start", "ann", 60, None),
    ("game:1", "turn", "dealt", "system", 61, None),
    ("game:2", "deal", "start", "bob", 130, None),
    ("game:1", "turn", "play", "ann", 71, None),
    ("game:2", "over", "leave", "bob", 140, "connection lost"),
    ("sim:1", "run", "start", "cron", 5, None),
]


def flow_of(steps):
    """The directly-follows graph, computed the plain way."""
    last, nodes, edges = {}, {}, {}
    for machine, to, _, _, seconds, _ in steps:
        before, since = last.get(machine, (None, seconds))
        nodes[to] = nodes.get(to, 0) + 1
        edges.setdefault((before, to), []).append(seconds - since)
        last[machine] = (to, seconds)
    return {
        "nodes": [{"state": s, "count": c} for s, c in sorted(nodes.items())],
        "edges": [{"from": f, "to": t, "count": len(gaps),
                   "mean_seconds": sum(gaps) / len(gaps)}
                  for (f, t), gaps in sorted(
                      edges.items(), key=lambda e: (e[0][0] or "", e[0][1]))]}


class LogCase(StetCase):
    def setUp(self):
        super().setUp()
        for machine, to, action, actor, seconds, error in STEPS:
            more = ["--error", error] if error else []
            more += ["--type", "system_event"] if actor == "system" else []
            self.stet("machine", "step", machine, "--to", to, "--action",
                      action, "--actor", actor, "--at", str(seconds),
                      "--correlation", f"c-{actor}", *more)


class Query(LogCase):
    def found(self, *options):
        """The indexes into STEPS of what a query gives."""
        events = self.stet("log", "query", *options, "--json").objects
        return [int(e["position"]) - 1 for e in events]

    def test_each_option_narrows(self):
        """An event is given when it meets them all."""
        for options, wanted in (
                ([], range(8)),
                (["game:*"], [0, 1, 2, 3, 4, 5, 6]),
                (["--to", "lobby"], [0, 1]),
                (["--from", "lobby"], [2, 4]),
                (["--action", "start"], [2, 4, 7]),
                (["--actor", "bob"], [1, 4, 6]),
                (["--type", "system_event"], [3]),
                (["--correlation", "c-cron"], [7]),
                (["--kind", "transitioned"], range(8)),
                (["--kind", "saved"], []),
                (["--errors"], [6]),
                (["--since", "1970-01-01T00:01:01Z"], [3, 4, 5, 6]),
                (["--until", "10"], [0, 7]),
                (["--since", "60", "--until", "72"], [2, 3, 5]),
                (["--from-position", "3", "--to-position", "5"], [2, 3]),
                (["--limit", "2"], [0, 1]),
                (["--limit", "0"], range(8)),
                (["--newest-first", "--limit", "3"], [7, 6, 5]),
                (["game:*", "--action", "start", "--actor", "bob"], [4])):
            self.assertEqual(self.found(*options), list(wanted), options)

    def test_a_line_an_event(self):
        """For people, the same as machine history."""
        [line] = self.stet("log", "query", "--errors").lines
        self.assertEqual(line, "game:2 3  1970-01-01T00:02:20Z  transitioned"
                               "  deal -> over  leave  by bob"
                               "  error: connection lost")

    def test_names_are_shown_without_control_characters(self):
        """An action is anybody's text."""
        self.stet("machine", "step", "m", "--to", "s", "--action",
                  "\x1b[31mred")
        self.assertIn("\\x1b[31mred",
                      self.stet("log", "query", "m").out)


class Stats(LogCase):
    def test_counts_add_up(self):
        """By hand from the list above."""
        self.assertEqual(self.stet("log", "stats", "--json").json, {
            "machines": 3, "transitions": 8, "states": 5, "actions": 5,
            "actors": 4, "errors": 1,
            "first_timestamp": "1970-01-01T00:00:00Z",
            "last_timestamp": "1970-01-01T00:02:20Z"})
        self.assertEqual(self.stet("log", "stats", "sim:*", "--json").json
                         ["transitions"], 1)
        self.assertIn("transitions  8\n", self.stet("log", "stats").out)
        self.assertEqual(self.stet("log", "stats", "x*", "--json").json, {
            "machines": 0, "transitions": 0, "states": 0, "actions": 0,
            "actors": 0, "errors": 0})


class Flow(LogCase):
    def test_it_is_the_directly_follows_graph(self):
        """The same nodes, edges, counts and means as the plain way gives."""
        self.assertEqual(self.stet("log", "flow").json, flow_of(STEPS))
        self.assertEqual(self.stet("log", "flow", "--format", "json",
                                   "game:*").json, flow_of(STEPS[:7]))

    def test_dot_quotes_every_name(self):
        """A state's name may be anything, also the language's own marks."""
        self.stet("machine", "step", "m", "--to", 'a "b" \\ c')
        dot = self.stet("log", "flow", "--format", "dot").out
        self.assertIn('"" -> "a \\"b\\" \\\\ c" [label="1"];', dot)
        self.assertIn('"lobby" -> "deal" [label="2\\n1.5 min"];', dot)
        if shutil.which("dot"):
            ran = subprocess.run(["dot", "-Tcanon"], input=dot,
                                 capture_output=True, text=True)
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))

    @unittest.skipIf(shutil.which("dot") is None, "graphviz is not here")
    def test_svg_is_drawn(self):
        """By graphviz, onto our stdout."""
        drawn = self.stet("log", "flow", "--format", "svg").out
        self.assertIn("<svg", drawn)
        self.assertIn(">lobby<", drawn)

    def test_svg_without_graphviz_names_the_package(self):
        """Where there is no dot, the next step is to install it."""
        os.mkdir(self.path("bin"))
        os.symlink("/bin/sh", self.path("bin", "sh"))
        self.refused(ENVIRONMENT, "log", "flow", "--format", "svg",
                     says=("dot", "graphviz"),
                     env={"PATH": self.path("bin")})

    def test_json_is_not_promised_where_it_is_not_given(self):
        """A script that asked for it would parse something else."""
        for form in ("dot", "svg"):
            self.refused(USAGE, "log", "flow", "--json", "--format", form,
                         says=(f"--json: the format is {form}",
                               "--format json"))
        self.assertEqual(self.stet("log", "flow", "--json").json,
                         flow_of(STEPS))
        for form in ("xes", "csv"):
            self.refused(USAGE, "export", "--json", "--format", form,
                         says=(f"--json: the format is {form}",
                               "--format jsonl"))
        self.assertEqual(self.stet("export", "--json").out,
                         self.stet("export").out)

    def test_an_empty_store_has_an_empty_flow(self):
        """No transition, no node."""
        self.assertEqual(self.stet("log", "flow", "x*").json,
                         {"nodes": [], "edges": []})

    def test_a_broken_pattern_is_named(self):
        """Whoever takes one says what is wrong with it."""
        for words in (["log", "query"], ["log", "stats"], ["log", "flow"],
                      ["machine", "list"], ["export"]):
            self.refused(USAGE, *words, "g[a", says="pattern g[a: ")


if __name__ == "__main__":
    main()
