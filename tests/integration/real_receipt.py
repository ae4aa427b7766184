#!/usr/bin/env python3
"""Two real logs in XES: what the store holds is what the XML says, read here
by itself; and it stays that through every format and a second import."""
import collections
import datetime
import gzip
import json
import os
import sys
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from scribe import rounds
from stetcli import DONE, RECEIPT, ROADTRAFFIC, StetCase, main, no_data

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

Number = collections.namedtuple("Number", "text")
Step = collections.namedtuple("Step", "before name actor time payload")
Trace = collections.namedtuple("Trace", "name state steps")


def micros(text):
    """A time with its offset as microseconds since 1970; the logs have no
    finer ones."""
    return (datetime.datetime.fromisoformat(text) -
            EPOCH) // datetime.timedelta(microseconds=1)


def read_json(text):
    """JSON in which a number is its text and a string is not one."""
    return json.loads(text, parse_int=Number, parse_float=Number)


def value_of(attribute):
    """An attribute of XES as the member that it becomes."""
    kind = attribute.tag.split("}")[-1]
    text = attribute.get("value")
    return Number(text) if kind in ("int", "float") else text


def attributes_of(element):
    """But for those that stet added of its own."""
    return {a.get("key"): value_of(a) for a in element
            if a.get("key") and not a.get("key").startswith("stet:")}


def read_xes(path):
    """The traces of a log, by its XML alone."""
    with gzip.open(path) as file:
        log = ElementTree.parse(file).getroot()
    for trace in log.findall("{*}trace"):
        state, steps = attributes_of(trace), []
        for event in trace.findall("{*}event"):
            payload = attributes_of(event)
            steps.append(Step(steps[-1].name if steps else None,
                              payload.pop("concept:name"),
                              payload.pop("org:resource", None),
                              micros(payload.pop("time:timestamp")), payload))
        yield Trace(state["concept:name"], state, steps)


def flow_of(traces):
    """The directly-follows graph: nodes with counts, edges with the gaps in
    microseconds."""
    nodes = collections.Counter()
    edges = collections.defaultdict(list)
    for trace in traces:
        for last, step in zip([None, *trace.steps], trace.steps):
            nodes[step.name] += 1
            edges[step.before, step.name].append(
                step.time - last.time if last else 0)
    return nodes, edges


class RealLog:
    """What is claimed of each log; a subclass names it and its numbers."""

    def setUp(self):
        super().setUp()
        self.traces = list(read_xes(self.LOG))
        self.assertEqual(
            (len(self.traces), sum(len(t.steps) for t in self.traces)),
            (self.MACHINES, self.TRANSITIONS))
        self.first = self.bring(self.LOG)

    def bring(self, path, *args, stdin=b""):
        """Import; gives what it says that it stored."""
        done = self.run_stet("import", path, "--json", *args, stdin=stdin)
        self.assertEqual(done.code, DONE, done)
        return done.json

    def histories(self, store="stet-data"):
        """Each machine's events, without what a store decides anew."""
        found = collections.defaultdict(list)
        for line in self.stet("log", "query", "--json", "--store",
                              store).lines:
            event = read_json(line)
            del event["recorded_at"], event["position"]
            found[event["state_machine_id"]].append(event)
        return found

    def check_same(self, found, due, what=None):
        """One machine at a time: a log is too much to show."""
        self.assertEqual(sorted(found), sorted(due), what)
        for name, events in due.items():
            self.assertEqual(found[name], events, what)

    def test_it_is_stored_whole(self):
        """As many as the log has, by three counts."""
        self.assertEqual(
            self.first,
            {"machines": self.MACHINES, "transitions": self.TRANSITIONS,
             "events": self.MACHINES + self.TRANSITIONS, "repeated": 0,
             "ignored": self.IGNORED})
        info = self.stet("store", "info", "--json").json
        self.assertEqual((info["machines"], info["events"]),
                         (self.MACHINES, self.MACHINES + self.TRANSITIONS))
        stats = self.stet("log", "stats", "--json").json
        self.assertEqual((stats["machines"], stats["transitions"]),
                         (self.MACHINES, self.TRANSITIONS))

    def test_every_event_is_what_the_log_says(self):
        """All of them, field by field."""
        found = self.histories()
        self.assertEqual(sorted(found), sorted(t.name for t in self.traces))
        for trace in self.traces:
            created, *events = found[trace.name]
            self.assertEqual(
                (created["seq"], created["kind"], micros(created["timestamp"])),
                (Number("1"), "created", trace.steps[0].time))
            self.assertEqual([e["seq"] for e in events],
                             [Number(str(n + 2)) for n in range(len(events))])
            for event in events:
                self.assertEqual((event["kind"], event["to_state"]),
                                 ("transitioned", event["action"]))
            self.assertEqual(
                [Step(e["from_state"], e["action"], e["actor_id"],
                      micros(e["timestamp"]), e["payload"]) for e in events],
                trace.steps)

    def test_states_grow_out_of_attributes(self):
        """Created with the trace's attributes, then merged step by step; by
        one process each, and by one for a whole history."""
        every = max(1, self.MACHINES // rounds(25, 500, 5))
        for trace in self.traces[::every]:
            state = dict(trace.state)
            due = [dict(state)]
            for step in trace.steps:
                state.update(step.payload)
                due.append(dict(state))
            replayed = [read_json(line)["state"] for line in
                        self.stet("machine", "replay", trace.name,
                                  "--json").lines]
            self.assertEqual([s["state_data"] for s in replayed], due)
            self.assertEqual([s["current_state"] for s in replayed],
                             [None, *(s.name for s in trace.steps)])
            self.assertEqual(
                read_json(self.stet("machine", "load", trace.name, "--at",
                                    "1").out), trace.state)
            self.assertEqual(
                read_json(self.stet("machine", "load", trace.name).out), state)

    def test_the_flow_is_the_directly_follows_graph(self):
        """Nodes, edges, counts, and means to a millionth."""
        nodes, edges = flow_of(self.traces)
        flow = self.stet("log", "flow", "--format", "json").json
        self.assertEqual([(n["state"], n["count"]) for n in flow["nodes"]],
                         sorted(nodes.items()))
        self.assertEqual(len(flow["edges"]), len(edges))
        for edge in flow["edges"]:
            gaps = edges[edge["from"], edge["to"]]
            mean = sum(gaps) / len(gaps) / 1e6
            self.assertEqual(edge["count"], len(gaps), edge)
            self.assertLessEqual(abs(edge["mean_seconds"] - mean),
                                 1e-6 * abs(mean), edge)

    def test_a_second_import_stores_nothing_twice(self):
        """The same log once more, packed, plain, and from stdin."""
        before = self.histories()
        events = self.MACHINES + self.TRANSITIONS
        with gzip.open(self.LOG) as file:
            plain = file.read()
        self.write("plain.xes", plain)
        for done in (self.bring(self.LOG), self.bring("plain.xes"),
                     self.bring("-", "--format", "xes", stdin=plain)):
            self.assertEqual((done["events"], done["repeated"]), (0, events))
        self.assertEqual(self.stet("store", "info", "--json").json["events"],
                         events)
        self.check_same(self.histories(), before)

    def test_every_format_keeps_the_histories(self):
        """Exported and imported into another store: the same ids, seqs,
        states, actions, actors, times, payloads and created states."""
        before = self.histories()
        whole = self.stet("export", "--format", "jsonl").raw
        for form in ("xes", "csv", "jsonl"):
            name = self.write(f"log.{form}",
                              self.stet("export", "--format", form).raw)
            self.assertEqual(
                self.bring(name, "--store", form)["ignored"], 0, form)
            self.check_same(self.histories(form), before, form)
            again = self.stet("export", "--format", "jsonl", "--store", form)
            self.assertTrue(again.raw == whole, form)
            self.assertTrue(self.stet("store", "verify", "--json", "--store",
                                      form).json["is_sound"])

    def test_an_exported_log_is_the_log(self):
        """For tools that know nothing of stet."""
        name = self.write("out.xes.gz", gzip.compress(
            self.stet("export", "--format", "xes").raw))
        by_name = {t.name: t for t in read_xes(self.path(name))}
        self.assertEqual(len(by_name), self.MACHINES)
        for trace in self.traces:
            self.assertEqual(by_name[trace.name], trace)


class Receipt(RealLog, StetCase):
    LOG = RECEIPT
    MACHINES = 1434
    TRANSITIONS = 8577
    IGNORED = 85  # what the log says beside its traces


class RoadTraffic(RealLog, StetCase):
    LOG = ROADTRAFFIC
    MACHINES = 100
    TRANSITIONS = 390
    IGNORED = 80


if __name__ == "__main__":
    main(no_data(RECEIPT, ROADTRAFFIC))
