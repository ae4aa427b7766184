#!/usr/bin/env python3
"""store and doctor, a store that is damaged, and output that nobody takes. Who
may open what is in fault_openers.py, disks are in fault_full_disk.py."""
import glob
import os
import re
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DAMAGED, DONE, ENVIRONMENT, NO, STET, StetCase, main


UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Store(StetCase):
    def setUp(self):
        super().setUp()
        for n in range(5):
            self.stet("machine", "save", f"m{n}", "--payload", '{"n":1}')

    def test_info_gives_the_numbers(self):
        """Those that the README and the benchmarks speak of."""
        info = self.stet("store", "info", "--json").json
        self.assertEqual(list(info), [
            "store", "driver", "uuid", "level", "format", "machines",
            "events", "log_bytes", "state_raw_bytes", "index_bytes",
            "disk_bytes", "segments", "segments_max", "throttled",
            "unsealed", "sets", "settled", "torn_bytes"])
        self.assertEqual((info["machines"], info["events"]), (5, 5))
        self.assertEqual((info["segments_max"], info["throttled"]), (256, 0))
        self.assertEqual(info["state_raw_bytes"], 5 * len('{"n":1}'))
        self.assertEqual((info["driver"], info["level"]),
                         ("embedded", "disk"))
        self.assertIn("machines         5\n", self.stet("store", "info").out)

    def test_compact_settles_everything(self):
        """A store that nobody writes to, into sets alone; and once is
        enough."""
        before = self.stet("export").raw
        info = self.stet("store", "info", "--json").json
        done = self.stet("store", "compact", "--json").json
        self.assertEqual((done["settled"], done["log_bytes_before"]),
                         (info["events"], info["log_bytes"]))
        info = self.stet("store", "info", "--json").json
        self.assertEqual((info["segments"], info["settled"]),
                         (0, info["events"]))
        self.assertEqual(info["log_bytes"], done["log_bytes"])
        self.assertEqual(self.stet("export").raw, before)
        again = self.stet("store", "compact").out
        self.assertIn("settled          0\n", again)
        self.stet("store", "verify")

    def test_the_files_are_their_user_s_alone(self):
        """Whatever the umask says."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.stet("machine", "save", "m", "--payload", "{}", "--store", "new")
        modes = {stat.S_IMODE(os.stat(path).st_mode)
                 for path in glob.glob(self.path("new", "*"))}
        self.assertEqual(modes, {0o600})
        self.assertEqual(stat.S_IMODE(os.stat(self.path("new")).st_mode), 0o700)

    def test_a_link_is_no_file_of_a_store(self):
        """Who may write into the folder does not choose what is read."""
        for segment in glob.glob(self.path("stet-data", "*.seg")):
            os.rename(segment, self.path("elsewhere"))
            os.symlink("../elsewhere", segment)
            failed = self.run_stet("machine", "load", "m0")
            self.assertNotIn(failed.code, (DONE, NO), str(failed))
            self.assertEqual(failed.out, "")
            self.assertIn(os.path.basename(segment), failed.err)
            os.unlink(segment)
            os.rename(self.path("elsewhere"), segment)
        self.assertEqual(self.stet("machine", "load", "m0").out, '{"n":1}')

    def test_doctor_tries_the_disk(self):
        """What the promise rests on is tried, and nothing is left behind."""
        said = self.stet("doctor", "--json").json
        self.assertIs(said["locks_hold"], True)
        self.assertGreater(said["sync_us"], 0)
        if not os.path.isdir("/dev/shm"):
            self.skipTest("no /dev/shm here")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            store = os.path.join(folder, "s")
            self.stet("machine", "save", "m", "--payload", "{}",
                      "--store", store)
            before = sorted(os.listdir(folder) + os.listdir(store))
            said = self.stet("doctor", "--store", store).out
            self.assertIn("warning        in memory: nothing survives", said)
            self.assertIn("warning        syncs are faster than a device", said)
            self.assertEqual(sorted(os.listdir(folder) + os.listdir(store)),
                             before)

    def test_doctor_tells_the_sandbox(self):
        """What holds a command, or why nothing does."""
        said = self.stet("doctor", "--json").json["sandbox"]
        is_off = os.environ.get("STET_SANDBOX") == "off"
        self.assertIn(said.split()[0], ("off:",) if is_off else (
            "files", "files;", "calls;", "none:"))
        off = self.stet("doctor", env={"STET_SANDBOX": "off"}).out
        self.assertIn("sandbox        off: STET_SANDBOX says so\n", off)

    def test_a_sound_store_verifies(self):
        """And the report says how much was read."""
        report = self.stet("store", "verify", "--json").json
        self.assertTrue(report["is_sound"])
        self.assertEqual((report["records"], report["histories"],
                          report["index_damaged"]), (5, 5, 0))
        self.assertIn("is_sound         yes\n",
                      self.stet("store", "verify").out)

    def test_reindex_changes_no_answer(self):
        """An index is made of records and can be made again."""
        before = self.stet("machine", "list").out
        self.stet("store", "reindex", "--json")
        self.assertEqual(self.stet("machine", "list").out, before)
        self.assertTrue(self.stet("store", "verify", "--json")
                        .json["is_sound"])

    def test_doctor_tells_of_store_and_disk(self):
        """What a report of a problem begins with."""
        found = self.stet("doctor", "--json").json
        self.assertTrue(found["is_open"])
        self.assertEqual((found["events"], found["machines"]), (5, 5))
        for name in ("stet", "store", "file_system", "free_bytes",
                     "is_direct", "level", "format"):
            self.assertIn(name, found)
        text = self.stet("doctor").out
        self.assertIn("opens          yes\n", text)
        number, unit = re.search(r"^on disk +(\S+) (\S+)$", text, re.M).groups()
        self.assertEqual(
            number, f"{found['disk_bytes'] / UNITS[unit]:.1f}")
        self.assertLessEqual(1, float(number))
        self.assertIn("stet store verify", text)

    def test_doctor_of_nothing_says_so(self):
        """It still tells about the disk, and makes no store."""
        answer = self.run_stet("doctor", "--store", "nowhere", "--json")
        self.assertEqual(answer.code, NO, answer)
        self.assertFalse(answer.json["is_open"])
        self.assertIn("file_system", answer.json)
        self.assertFalse(os.path.exists(self.path("nowhere")))

    def test_a_changed_byte_is_found_and_named(self):
        """Exit code 4, the file and the offset; nothing is repaired."""
        [segment, *_] = sorted(glob.glob(self.path("stet-data", "*.seg")))
        with open(segment, "r+b") as file:
            place = file.read().index(b'{"n":1}')
            file.seek(place)
            file.write(b'{"n":2}')
        answer = self.run_stet("store", "verify")
        self.assertEqual(answer.code, DAMAGED, answer)
        self.assertIn(os.path.basename(segment), answer.err)
        self.assertIn("\ntry: ", answer.err)


class Ends(StetCase):
    def save(self):
        return self.run_stet("machine", "save", "m", "--payload", "{}")

    def test_a_missing_file_is_damage(self):
        """Never an empty store, never a shorter history."""
        self.assertEqual(self.save().code, DONE)
        with open(self.path("stet-data", "super"), "r+b") as file:
            file.seek(12)
            live = int.from_bytes(file.read(4), "little")
        os.remove(self.path("stet-data", f"{live}.seg"))
        for words in (["machine", "save", "m", "--payload", "2"],
                      ["machine", "load", "m"]):
            self.refused(DAMAGED, *words, says="stet doctor")

    def test_a_full_output_is_an_error(self):
        """An answer that nobody got is not an answer."""
        self.assertEqual(self.save().code, DONE)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([STET, "machine", "load", "m"],
                                  cwd=self.folder, stdout=full,
                                  stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, ENVIRONMENT)
        self.assertIn(b"No space left on device", done.stderr)

    def test_a_reader_that_goes_away_does_not_kill_the_writer(self):
        """The write is done and the store is closed all the same."""
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([STET, "machine", "save", "m", "--payload",
                               "{}"], cwd=self.folder, stdout=write_end,
                              stderr=subprocess.PIPE)
        os.close(write_end)
        self.assertEqual(done.returncode, ENVIRONMENT)
        self.assertEqual(self.stet("machine", "load", "m").out, "{}")

    def test_a_memory_store_is_gone_with_its_run(self):
        """It is for trying out a line, and nobody shall take it for more."""
        tried = self.run_stet("machine", "save", "m", "--payload", "{}",
                              "--store", "memory:", "--json")
        self.assertEqual((tried.code, tried.err), (
            DONE, "stet: what is in memory ends with this command\n"))
        self.assertEqual(tried.json["level"], "memory")
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    main()
