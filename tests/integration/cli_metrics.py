#!/usr/bin/env python3
"""metrics: numbers for people, as JSON, and as Prometheus reads them. What they
count is in engine_metrics_test.c."""
import ctypes
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import NO, STET, USAGE, StetCase, main

FOUNDING = ["total_saves", "total_loads", "total_snapshots",
            "total_recoveries", "failed_operations", "average_save_time_ms",
            "average_load_time_ms", "cache_hits", "cache_misses"]

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
NUMBER = r"(?:[+-]?Inf|NaN|[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
SAMPLE = re.compile(rf'({NAME})(?:\{{le="({NUMBER})"\}})? ({NUMBER})')


def samples_of(text):
    """The samples of a text in the exposition format 0.0.4, by family: a list
    of (name, le, value). Whatever the format forbids is an AssertionError."""
    assert text.endswith("\n")
    families = {}
    lines = text.splitlines()
    family = None
    for i, line in enumerate(lines):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert re.fullmatch(NAME, family), line
            assert family not in families, f"told twice: {family}"
            assert len(line.split(" ", 3)) == 4, line
            kind = lines[i + 1].split(" ")
            assert kind[:3] == ["#", "TYPE", family], lines[i + 1]
            assert kind[3] in ("counter", "gauge", "histogram"), line
            families[family] = (kind[3], [])
        elif line.startswith("# TYPE "):
            assert lines[i - 1].startswith(f"# HELP {line.split(' ')[2]} ")
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name, le, value = found.groups()
            assert name == family or families[family][0] == "histogram", line
            families[family][1].append((name, le, float(value)))
    for name, (kind, samples) in families.items():
        check_family(name, kind, samples)
    return {name: samples for name, (_, samples) in families.items()}


def check_family(name, kind, samples):
    assert name.startswith("stet_"), name
    assert (kind == "counter") == name.endswith("_total"), name
    if kind != "histogram":
        assert [(name, None)] == [s[:2] for s in samples], name
        assert samples[0][2] >= 0, name
        return
    buckets = [s for s in samples if s[0] == f"{name}_bucket"]
    assert [s[0] for s in samples] == (
        [f"{name}_bucket"] * len(buckets) + [f"{name}_sum", f"{name}_count"])
    bounds = [float(s[1]) for s in buckets]
    counts = [s[2] for s in buckets]
    assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), name
    assert counts == sorted(counts), f"{name} is not cumulative"
    assert counts[-1] == samples[-1][2], f"{name}: +Inf is not the count"


class Slice(ctypes.Structure):
    _fields_ = [("ptr", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class Buffer(ctypes.Structure):
    _fields_ = [("ptr", ctypes.c_void_p), ("len", ctypes.c_size_t),
                ("cap", ctypes.c_size_t), ("allocator", ctypes.c_void_p * 2)]


def scrape_of_a_busy_handle(library):
    """What a program's handle tells after some saves and loads."""
    lib = ctypes.CDLL(library)
    store = ctypes.c_void_p()
    err = ctypes.create_string_buffer(4096)
    assert lib.stet_open(b"memory:", None, ctypes.byref(store), err) == 0
    state = ctypes.c_void_p()
    lib.stet_state_release.argtypes = [ctypes.c_void_p]
    for n in range(200):
        machine = b"m%d" % (n % 7)
        body = b'{"n":%d}' % n
        assert lib.stet_save(store, Slice(machine, len(machine)),
                             Slice(body, len(body)), None, None, err) == 0
        assert lib.stet_load(store, Slice(machine, len(machine)), None,
                             ctypes.byref(state), err) == 0
        lib.stet_state_release(state)
    out = Buffer()
    assert lib.stet_metrics_prometheus(store, ctypes.byref(out), err) == 0
    text = ctypes.string_at(out.ptr, out.len).decode()
    lib.stet_buffer_free(ctypes.byref(out))
    assert lib.stet_close(store, err) == 0
    return text


class Metrics(StetCase):
    def setUp(self):
        super().setUp()
        for n in range(3):
            self.stet("machine", "save", "m", "--payload", '{"n":%d}' % n)
        self.stet("machine", "step", "m", "--to", "x", "--error", "broke")

    def test_the_founding_names_are_kept(self):
        """And what a process counts by itself is told as that."""
        got = self.stet("metrics", "--json").json
        self.assertEqual([name for name in FOUNDING if name not in got], [])
        self.assertIsNone(got["cache_hit_rate"])
        self.assertEqual(got["since"], "this process opened the store")
        self.assertEqual((got["total_saves"], got["total_loads"]), (0, 0))
        self.assertEqual((got["stored"]["machines"], got["stored"]["events"]),
                         (1, 4))
        text = self.stet("metrics").out
        self.assertIn("in the store\nmachines                 1\n", text)
        self.assertIn("since this process opened it\ntotal_saves", text)

    def test_a_machine_tells_its_whole_history(self):
        """Which other processes wrote."""
        got = self.stet("metrics", "m", "--json").json
        self.assertEqual([name for name in FOUNDING if name not in got], [])
        self.assertEqual((got["total_saves"], got["failed_operations"]),
                         (4, 1))
        self.assertFalse(got["is_cached"])
        self.assertIn("total_saves              4\n",
                      self.stet("metrics", "m").out)
        self.refused(NO, "metrics", "nobody", says="nobody")

    def test_prometheus_reads_it(self):
        """Each family once, with HELP and TYPE; histograms cumulative."""
        text = self.stet("metrics", "--prometheus").out
        got = samples_of(text)
        self.assertEqual(got["stet_store_events"],
                         [("stet_store_events", None, 4)])
        self.refused(USAGE, "metrics", "m", "--prometheus",
                     says="--prometheus")
        self.refused(USAGE, "metrics", "--json", "--prometheus",
                     says="--prometheus")

    def test_prometheus_reads_a_busy_handle(self):
        """Numbers that are not 0, of a program that has the library."""
        got = samples_of(self.scrape())
        self.assertEqual(got["stet_saves_total"][0][2], 200)
        self.assertEqual(got["stet_cache_hits_total"][0][2], 200)
        self.assertEqual(got["stet_save_duration_seconds"][-1][2], 200)
        self.assertGreater(got["stet_save_duration_seconds"][-2][2], 0)

    def test_promtool_finds_nothing_to_say(self):
        """The program of Prometheus itself."""
        tool = shutil.which("promtool")
        if tool is None:
            self.skipTest("no promtool here (Debian: prometheus)")
        for text in (self.stet("metrics", "--prometheus").out, self.scrape()):
            done = subprocess.run([tool, "check", "metrics"],
                                  input=text.encode(), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            self.assertEqual((done.returncode, done.stdout), (0, b""))

    def scrape(self):
        """What a handle in this very process tells."""
        if "san" in os.path.basename(os.path.dirname(STET)):
            self.skipTest("an interpreter without the sanitizer's library")
        return scrape_of_a_busy_handle(
            os.path.join(os.path.dirname(STET), "libstet.so.0"))


if __name__ == "__main__":
    main()
