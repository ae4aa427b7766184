#!/usr/bin/env python3
"""machine: every verb, what it prints, and what it refuses."""
import base64
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import ENVIRONMENT, NO, USAGE, StetCase, main

STATE_BYTES_MAX = 16 * 1024 * 1024


class MachineCase(StetCase):
    def save(self, machine, state, *options):
        return self.stet("machine", "save", machine, *options, "--json",
                         stdin=state).json

    def load(self, machine, *options):
        return self.stet("machine", "load", machine, *options).raw

    def show(self, machine, *options):
        return self.stet("machine", "show", machine, "--json", *options).json

    def history(self, machine, *options):
        return self.stet("machine", "history", machine, "--json",
                         *options).objects


class SaveAndLoad(MachineCase):
    def test_bytes_come_back_as_they_went(self):
        """A save is opaque: also bytes that are no text, no JSON, or none."""
        for i, state in enumerate((b'{"a": 1}\n', bytes(range(256)), b"",
                                   b"\0\0", b"\xff" * 70000, b"[1,2")):
            self.save(f"m{i}", state)
            self.assertEqual(self.load(f"m{i}"), state)

    def test_the_state_comes_from_file_stdin_or_payload(self):
        """The three ways of the help text."""
        self.write("state.json", '{"n":1}')
        self.stet("machine", "save", "m", "state.json")
        self.assertEqual(self.load("m"), b'{"n":1}')
        self.stet("machine", "save", "m", "-", stdin='{"n":2}')
        self.assertEqual(self.load("m"), b'{"n":2}')
        self.stet("machine", "save", "m", stdin='{"n":3}')
        self.assertEqual(self.load("m"), b'{"n":3}')
        self.stet("machine", "save", "m", "--payload", '{"n":4}')
        self.assertEqual(self.load("m"), b'{"n":4}')
        self.write("other.json", '{"n":5}')
        self.stet("machine", "save", "m", "--payload", "@other.json")
        self.assertEqual(self.load("m"), b'{"n":5}')

    def test_every_past_state_is_a_load_away(self):
        """By seq, by time, and newest; a time between two events gives the
        earlier one."""
        for n in range(1, 6):
            self.save("m", f'{{"n":{n}}}', "--at", f"2026-01-0{n}T00:00:00Z")
        for n in range(1, 6):
            state = f'{{"n":{n}}}'.encode()
            self.assertEqual(self.load("m", "--at", str(n)), state)
            self.assertEqual(
                self.load("m", "--at", f"2026-01-0{n}T00:00:00Z"), state)
            self.assertEqual(
                self.load("m", "--at", f"2026-01-0{n}T23:59:59.999Z"), state)
        self.assertEqual(self.load("m", "--at", "newest"), b'{"n":5}')
        self.refused(NO, "machine", "load", "m", "--at",
                     "2025-12-31T23:59:59Z")
        self.refused(NO, "machine", "load", "m", "--at", "6",
                     says="stet machine history m")

    def test_recorded_time_is_the_stores_own(self):
        """What happened long ago by its writer's word was recorded now."""
        self.save("m", "{}", "--at", "2001-01-01T00:00:00Z")
        self.assertEqual(self.load("m", "--at", "2002-01-01T00:00:00Z"),
                         b"{}")
        self.refused(NO, "machine", "load", "m", "--recorded", "--at",
                     "2002-01-01T00:00:00Z")
        self.assertEqual(self.load("m", "--recorded", "--at",
                                   "2200-01-01T00:00:00Z"), b"{}")

    def test_show_tells_all_of_a_machine(self):
        """The keys are the long field names."""
        state = b'{ "turn" : 1, "phase": "deal" }'
        written = self.save("game:1", state, "--at", "2026-11-20T05:24:08Z",
                            "--state-type", "card_game", "--version", "1.2.0",
                            "--machine-metadata", '{"room": 7}')
        self.assertEqual(written["seq"], 1)
        self.assertEqual(written["position"], "1")
        self.assertEqual(written["level"], "disk")
        self.assertFalse(written["is_repeat"])
        shown = self.show("game:1")
        recorded = shown.pop("recorded_at")
        self.assertRegex(recorded, r"^20\d\d-.*Z$")
        self.assertEqual(shown, {
            "state_machine_id": "game:1", "namespace": 0,
            "state_type": "card_game", "current_state": "deal",
            "state_data": {"turn": 1, "phase": "deal"}, "version": "1.2.0",
            "metadata": {"room": 7}, "bytes": len(state),
            "hash": hashlib.sha256(state).hexdigest(), "seq": 1,
            "position": "1", "created_at": "2026-11-20T05:24:08Z",
            "updated_at": "2026-11-20T05:24:08Z"})
        self.assertEqual(
            self.stet("machine", "load", "game:1", "--json").json,
            self.show("game:1"))
        text = self.stet("machine", "show", "game:1").out
        for line in ("state_machine_id  game:1", "current_state     deal",
                     'state_data        {"turn":1,"phase":"deal"}'):
            self.assertIn(line + "\n", text)

    def test_a_state_that_is_no_json_is_shown_in_base64(self):
        """One line of JSON can hold any state."""
        for state in (b"\0\xff", b"{", b'{"a":1}x', b'"\xed\xa0\x80"'):
            self.save("m", state)
            shown = self.show("m")
            self.assertNotIn("state_data", shown)
            self.assertEqual(base64.b64decode(shown["state_data_base64"]),
                             state)

    def test_numbers_of_any_size_are_shown_as_they_are(self):
        """A state's JSON is embedded, not computed with."""
        state = b'{"n":123456789012345678901234567890,"x":1e400}'
        self.save("m", state)
        line = self.stet("machine", "show", "m", "--json").raw
        self.assertIn(b'"state_data":' + state, line)

    def test_namespaces_do_not_see_each_other(self):
        """The same id is two machines in two namespaces."""
        self.save("m", "zero")
        self.save("m", "seven", "--namespace", "7")
        self.assertEqual(self.load("m"), b"zero")
        self.assertEqual(self.load("m", "--namespace", "7"), b"seven")
        self.refused(NO, "machine", "load", "m", "--namespace", "8")

    def test_the_store_is_chosen_by_option_then_environment(self):
        """--store beats STET_STORE beats ./stet-data."""
        env = {"STET_STORE": "by-env"}
        self.stet("machine", "save", "m", "--payload", "1", env=env)
        self.assertEqual(os.listdir(self.folder), ["by-env"])
        self.stet("machine", "save", "m", "--payload", "2", "--store",
                  "stet:by-option", env=env)
        self.assertEqual(
            self.stet("machine", "load", "m", "--store", "by-option").raw,
            b"2")
        self.assertEqual(self.stet("machine", "load", "m", env=env).raw, b"1")


class Create(MachineCase):
    def test_a_machine_is_created_once(self):
        """The second create is told that it is there, and changes nothing."""
        self.stet("machine", "create", "m", "--to", "lobby")
        self.assertEqual(self.load("m"), b"{}")
        self.assertEqual(self.show("m")["current_state"], "lobby")
        self.refused(NO, "machine", "create", "m", "--payload", '{"x":1}',
                     says=("m", "stet machine save"))
        self.assertEqual(self.load("m"), b"{}")
        self.refused(USAGE, "machine", "create", "m", "--expect", "1",
                     says="--expect: no such option of machine create")
        self.assertEqual([e["kind"] for e in self.history("m")], ["created"])

    def test_the_first_state_may_be_given(self):
        """From a file as well as in place."""
        self.write("first.json", '{"deck":52}')
        self.stet("machine", "create", "m", "first.json")
        self.assertEqual(self.load("m"), b'{"deck":52}')


class Step(MachineCase):
    def test_every_field_of_a_transition_is_kept(self):
        """What goes in by an option comes out under the long field name."""
        self.stet("machine", "create", "m", "--to", "lobby")
        self.stet("machine", "step", "m", "--to", "deal", "--from", "lobby",
                  "--action", "start", "--actor", "alice",
                  "--payload", '{"turn": 1}', "--type", "user_action",
                  "--error", "slow", "--phase-change",
                  "--at", "1763616248.5", "--correlation", "c1",
                  "--causation", "c0", "--metadata", '{"ip":"::1"}',
                  "--event-id", "e1", "--duration-ms", "250",
                  "--state-type", "card_game", "--version", "2.0.0")
        [_, event] = self.history("m")
        del event["recorded_at"]
        self.assertEqual(event, {
            "state_machine_id": "m", "seq": 2, "position": "2",
            "kind": "transitioned", "timestamp": "2025-11-20T05:24:08.500Z",
            "from_state": "lobby", "to_state": "deal", "action": "start",
            "actor_id": "alice", "payload": {"turn": 1},
            "type": "user_action", "reducer": "merge", "error": "slow",
            "correlation_id": "c1", "causation_id": "c0", "duration_ms": 250,
            "event_id": "e1", "metadata": {"ip": "::1"},
            "state_type": "card_game", "version": "2.0.0",
            "phase_change": True})
        self.assertEqual(self.show("m")["current_state"], "deal")
        self.assertEqual(json.loads(self.load("m")), {"turn": 1})

    def test_the_payload_goes_through_the_reducer(self):
        """Merge takes null as a removal, assign keeps it, none and set are
        what they say."""
        for reducer, payload, after in (
                (None, '{"b":null,"c":3}', {"a": 1, "c": 3}),
                ("merge", '{"b":null,"c":3}', {"a": 1, "c": 3}),
                ("assign", '{"b":null}', {"a": 1, "b": None}),
                ("set", '{"z":0}', {"z": 0}),
                ("none", '{"z":0}', {"a": 1, "b": 2}),
                ("patch", '[{"op":"remove","path":"/b"}]', {"a": 1})):
            self.save("m", '{"a":1,"b":2}')
            chosen = ("--reducer", reducer) if reducer else ()
            self.stet("machine", "step", "m", "--to", "s", "--payload",
                      payload, *chosen)
            self.assertEqual(json.loads(self.load("m")), after, reducer)

    def test_the_state_before_is_known_without_from(self):
        """From defaults to the state's name before."""
        self.stet("machine", "step", "m", "--to", "a")
        self.stet("machine", "step", "m", "--to", "b")
        first, second = self.history("m")
        self.assertIsNone(first["from_state"])
        self.assertEqual((second["from_state"], second["to_state"]),
                         ("a", "b"))

    def test_1970_is_a_time(self):
        """Zero seconds were given; that is not the same as no time."""
        self.stet("machine", "step", "m", "--to", "a", "--at", "0")
        self.assertEqual(self.history("m")[0]["timestamp"],
                         "1970-01-01T00:00:00Z")

    def test_a_payload_that_is_no_object_is_refused(self):
        """Merging it would lose the state."""
        self.save("m", '{"a":1}')
        for payload in ("[1]", "{", "7"):
            self.refused(USAGE, "machine", "step", "m", "--payload", payload)
        self.assertEqual(self.show("m")["seq"], 1)


class UpdateAndPatch(MachineCase):
    def test_update_merges(self):
        """RFC 7386, by argument or by option."""
        self.save("m", '{"a":{"x":1,"y":2},"b":2}')
        self.stet("machine", "update", "m", '{"a":{"x":null},"b":3}')
        self.assertEqual(json.loads(self.load("m")),
                         {"a": {"y": 2}, "b": 3})
        self.stet("machine", "update", "m", "--payload", "-",
                  stdin='{"b":null}')
        self.assertEqual(json.loads(self.load("m")), {"a": {"y": 2}})
        self.stet("machine", "update", "m", '{"a":null}', "--reducer",
                  "assign")
        self.assertEqual(json.loads(self.load("m")), {"a": None})

    def test_a_patch_applies_wholly_or_not_at_all(self):
        """RFC 6902: the failing test keeps the first operation out too."""
        self.save("m", '{"n":1}')
        self.refused(USAGE, "machine", "patch", "m",
                     '[{"op":"add","path":"/x","value":1},'
                     '{"op":"test","path":"/n","value":2}]')
        self.assertEqual(self.load("m"), b'{"n":1}')
        self.stet("machine", "patch", "m",
                  '[{"op":"replace","path":"/n","value":2}]')
        self.assertEqual(json.loads(self.load("m")), {"n": 2})

    def test_a_state_that_is_no_object_cannot_be_updated(self):
        """And it stays as it is."""
        self.save("m", b"\0raw")
        self.refused(USAGE, "machine", "update", "m", '{"a":1}')
        self.assertEqual(self.load("m"), b"\0raw")

    def test_append_leaves_the_state(self):
        """A raw event is history only."""
        self.save("m", '{"n":1}')
        self.stet("machine", "append", "m", "--action", "chat", "--payload",
                  '"hello"')
        self.stet("machine", "append", "m", "not json")
        self.assertEqual(self.load("m"), b'{"n":1}')
        events = self.history("m")
        self.assertEqual([e["kind"] for e in events],
                         ["saved", "appended", "appended"])
        self.assertEqual(events[1]["payload"], "hello")
        self.assertEqual(base64.b64decode(events[2]["payload_base64"]),
                         b"not json")


class Expectations(MachineCase):
    def test_a_write_that_expected_otherwise_stores_nothing(self):
        """Two writers cannot both go on from the same seq."""
        self.save("m", "1", "--expect", "none")
        self.save("m", "2", "--expect", "1")
        self.save("m", "3", "--expect", "exists")
        self.save("m", "4", "--expect", "any")
        self.refused(NO, "machine", "save", "m", "--payload", "5",
                     "--expect", "3", says="stet machine show m")
        self.refused(NO, "machine", "save", "m", "--payload", "5",
                     "--expect", "none")
        self.refused(NO, "machine", "step", "other", "--to", "x",
                     "--expect", "exists")
        self.refused(NO, "machine", "delete", "m", "--expect", "3")
        self.assertEqual(self.load("m"), b"4")
        self.assertEqual(self.stet("machine", "list").out, "m\t\t4\n")

    def test_a_key_stores_once(self):
        """A repeat gets the first answer; the key with other content is a
        mistake."""
        first = self.save("m", "1", "--key", "k")
        self.save("m", "2")
        again = self.save("m", "1", "--key", "k")
        self.assertEqual((again["seq"], again["position"]),
                         (first["seq"], first["position"]))
        self.assertTrue(again["is_repeat"])
        self.assertEqual(self.load("m"), b"2")
        self.refused(USAGE, "machine", "save", "m", "--payload", "3",
                     "--key", "k")

    def test_an_empty_key_is_no_key(self):
        """A script whose variable is not set must not store twice."""
        self.refused(USAGE, "machine", "save", "m", "--payload", "1",
                     "--key", "", says=("--key: it is empty", "--key KEY"))
        self.assertEqual(os.listdir(self.folder), [])


class Listing(MachineCase):
    def test_a_listing_is_ordered_filtered_and_continued(self):
        """Pages by --limit and --after put together are the whole."""
        names = [f"game:{n:02}" for n in range(12)] + ["sim/1"]
        for name in names:
            self.stet("machine", "step", name, "--to", "lobby")
        every = self.stet("machine", "list", "--json").objects
        self.assertEqual([m["state_machine_id"] for m in every], names)
        self.assertEqual(every[0], {
            "state_machine_id": "game:00", "current_state": "lobby",
            "seq": 1, "position": "1", "is_deleted": False})
        found = self.stet("machine", "list", "game:*").lines
        self.assertEqual(found, [f"{n}\tlobby\t1" for n in names[:12]])
        after, pages = [], []
        while True:
            page = self.stet("machine", "list", "--limit", "5",
                             *after).lines
            if not page:
                break
            pages += [line.split("\t")[0] for line in page]
            after = ["--after", pages[-1]]
        self.assertEqual(pages, names)

    def test_nothing_found_is_an_empty_answer(self):
        """A pattern that matches nothing is no error."""
        self.save("m", "{}")
        self.assertEqual(self.stet("machine", "list", "x*").out, "")

    def test_a_broken_pattern_is_refused(self):
        """An open set can match nothing anyone meant."""
        self.save("m", "{}")
        self.refused(USAGE, "machine", "list", "[a-")


class HistoryAndReplay(MachineCase):
    def setUp(self):
        super().setUp()
        self.stet("machine", "create", "m", "--to", "a")
        for n in range(1, 5):
            self.stet("machine", "step", "m", "--to", f"s{n}", "--action",
                      "go", "--actor", "bob", "--payload", f'{{"n":{n}}}')

    def test_a_range_a_limit_and_an_order(self):
        """From is in, to is out."""
        def seqs(*options):
            return [e["seq"] for e in self.history("m", *options)]
        self.assertEqual(seqs(), [1, 2, 3, 4, 5])
        self.assertEqual(seqs("--from-seq", "2", "--to-seq", "4"), [2, 3])
        self.assertEqual(seqs("--limit", "2"), [1, 2])
        self.assertEqual(seqs("--newest-first", "--limit", "2"), [5, 4])
        self.assertEqual(seqs("--newest-first", "--to-seq", "4"), [3, 2, 1])

    def test_a_line_tells_who_moved_it_where(self):
        """For people: one line an event."""
        lines = self.stet("machine", "history", "m").lines
        self.assertEqual(len(lines), 5)
        self.assertRegex(lines[4], r"^m 5  20\S+Z  transitioned  s3 -> s4  "
                                   r"go  by bob$")

    def test_replay_gives_the_state_after_each_event(self):
        """Each is what load --at gives."""
        replayed = self.stet("machine", "replay", "m", "--json").objects
        self.assertEqual([e["seq"] for e in replayed], [1, 2, 3, 4, 5])
        for event in replayed:
            state = self.load("m", "--at", str(event["seq"]))
            self.assertEqual(event["state"]["state_data"], json.loads(state))
            self.assertEqual(event["state"]["hash"],
                             hashlib.sha256(state).hexdigest())
        text = self.stet("machine", "replay", "m", "--from-seq", "3",
                         "--limit", "1").lines
        self.assertEqual(text[1], '    {"n":2}')

    def test_replay_shows_no_state_after_a_delete(self):
        """Nothing is there then; what was before is."""
        self.stet("machine", "delete", "m")
        last = self.stet("machine", "replay", "m", "--json").objects[-1]
        self.assertEqual((last["kind"], last["state"]), ("deleted", None))

    def test_a_machine_never_written_has_no_history(self):
        """Said, not shown as an empty one."""
        self.refused(NO, "machine", "history", "nobody", says="nobody")
        self.refused(NO, "machine", "replay", "nobody")


class DiffAndCompare(MachineCase):
    def setUp(self):
        super().setUp()
        self.save("m", '{"n":1,"k":0}', "--at", "2026-01-01T00:00:00Z")
        self.save("m", '{"n":2,"k":0}', "--at", "2026-01-02T00:00:00Z")

    def diff(self, *words):
        return self.stet("machine", "diff", *words).json

    def test_the_three_forms(self):
        """One machine at two points, two machines, two at a point each."""
        self.stet("checkpoint", "set", "first", "m", "--at", "1")
        self.save("other", '{"n":2}')
        to_two = [{"op": "replace", "path": "/n", "value": 2}]
        self.assertEqual(self.diff("m", "1", "2"), to_two)
        self.assertEqual(self.diff("m", "@first", "newest"), to_two)
        self.assertEqual(self.diff("m", "2026-01-01T12:00:00Z", "2"), to_two)
        self.assertEqual(self.diff("m", "2", "newest"), [])
        self.assertEqual(self.diff("m", "other"),
                         [{"op": "remove", "path": "/k"}])
        self.assertEqual(self.diff("other", "1", "m", "2"),
                         [{"op": "add", "path": "/k", "value": 0}])

    def test_other_bytes_are_told_by_place(self):
        """States that are no JSON have no patch."""
        self.save("raw", b"abcXdef")
        self.save("raw", b"abcYYdef")
        told = self.diff("raw", "1", "2")
        self.assertEqual((told["bytes_before"], told["bytes_after"],
                          told["first_difference"], told["common_suffix"]),
                         (7, 8, 3, 3))

    def test_a_point_that_is_not_there_is_named(self):
        """And a word that is no point is a wrong line."""
        self.refused(NO, "machine", "diff", "m", "1", "9")
        self.refused(NO, "machine", "diff", "m", "nobody")
        self.refused(USAGE, "machine", "diff", "m", "1", "tomorrow",
                     says="tomorrow")

    def test_compare_names_where_histories_part(self):
        """A fork is the same up to its own first event."""
        self.stet("machine", "fork", "m", "fork", "--at", "1")
        self.assertEqual(self.stet("machine", "compare", "m", "fork").out,
                         "2\n")
        self.assertEqual(self.stet("machine", "compare", "m", "m").out, "0\n")
        self.assertEqual(
            self.stet("machine", "compare", "m", "fork", "--json").json,
            {"is_same": False, "parts_at": 2})
        self.assertEqual(
            self.stet("machine", "compare", "m", "m", "--json").json,
            {"is_same": True, "parts_at": None})
        self.refused(NO, "machine", "compare", "m", "nobody")


class ForkAndDelete(MachineCase):
    def test_a_fork_goes_on_by_itself(self):
        """It begins with the parent's history and leaves the parent alone."""
        for n in range(1, 4):
            self.save("m", f'{{"n":{n}}}')
        forked = self.stet("machine", "fork", "m", "what-if", "--at", "2",
                           "--json").json
        self.assertEqual((forked["state_machine_id"], forked["seq"]),
                         ("what-if", 3))
        self.assertEqual(self.load("what-if"), b'{"n":2}')
        self.stet("machine", "update", "what-if", '{"n":9}')
        self.assertEqual(self.load("m"), b'{"n":3}')
        self.assertEqual(json.loads(self.load("what-if")), {"n": 9})
        self.assertEqual(
            [e["kind"] for e in self.history("what-if")],
            ["saved", "saved", "forked", "updated"])
        for is_repeat in (False, True):
            forked = self.stet("machine", "fork", "m", "signed", "--at", "2",
                               "--actor", "ada", "--metadata", '{"n":0}',
                               "--key", "once", "--json").json
            self.assertEqual((forked["seq"], forked["is_repeat"]),
                             (3, is_repeat))
        event = self.history("signed")[-1]
        self.assertEqual((event["actor_id"], event["metadata"]),
                         ("ada", {"n": 0}))
        self.refused(NO, "machine", "fork", "m", "what-if", says="what-if")
        self.refused(NO, "machine", "fork", "m", "late", "--at", "9")
        self.refused(NO, "machine", "fork", "nobody", "x")

    def test_a_delete_keeps_the_past(self):
        """Newest says no, as-of still answers, a new save goes on."""
        self.save("m", "1")
        self.stet("machine", "delete", "m", "--actor", "carol")
        self.refused(NO, "machine", "load", "m", says="m")
        self.refused(NO, "machine", "delete", "m")
        self.assertEqual(self.load("m", "--at", "1"), b"1")
        self.assertEqual(self.stet("machine", "list").out, "")
        self.assertEqual(self.stet("machine", "list", "--deleted").out,
                         "m\t\t2\tdeleted\n")
        self.assertEqual(self.history("m")[-1]["actor_id"], "carol")
        self.assertEqual(self.save("m", "3")["seq"], 3)


class BadInput(MachineCase):
    def test_bad_ids_are_refused(self):
        """An id has no control characters and a length."""
        for machine in ("a\nb", "a\x7fb", "x" * 256, ""):
            self.refused(USAGE, "machine", "save", machine, "--payload",
                         "{}")
        self.refused(USAGE, "machine", "save", os.fsdecode(b"\xff"),
                     "--payload", "{}")

    def test_a_state_over_the_limit_is_refused(self):
        """Sixteen MiB are taken, one byte more is not."""
        self.write("most", b"x" * STATE_BYTES_MAX)
        self.write("over", b"x" * (STATE_BYTES_MAX + 1))
        self.stet("machine", "save", "m", "most")
        self.refused(USAGE, "machine", "save", "m", "over",
                     says=("over", str(STATE_BYTES_MAX)))
        self.assertEqual(len(self.load("m")), STATE_BYTES_MAX)

    def test_a_file_that_is_not_there_makes_no_store(self):
        """Inputs are read before anything is opened."""
        self.refused(ENVIRONMENT, "machine", "save", "m", "nowhere.json",
                     says="nowhere.json: No such file")
        self.refused(ENVIRONMENT, "machine", "step", "m", "--payload",
                     "@nowhere.json", says="nowhere.json")
        self.assertEqual(os.listdir(self.folder), [])

    def test_metadata_must_be_json(self):
        """It is embedded wherever the event is shown."""
        self.refused(USAGE, "machine", "save", "m", "--payload", "{}",
                     "--metadata", "{")
        self.refused(USAGE, "machine", "save", "m", "--payload", "{}",
                     "--machine-metadata", "nope")

    def test_a_reader_makes_no_store(self):
        """Only a write does."""
        for words in (["list"], ["show", "m"], ["load", "m"],
                      ["history", "m"], ["replay", "m"], ["delete", "m"],
                      ["diff", "a", "b"], ["compare", "a", "b"],
                      ["fork", "a", "b"]):
            self.refused(NO, "machine", *words, says="stet-data")
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    main()
