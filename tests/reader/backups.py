"""Backups of a store: their manifests, and each of them as a folder.

docs/FORMAT.md, section "Backup".
"""
import collections
import os
import re

import layout
from borrowed import crc32c, xxh3
from damage import Damage, Malformed, NotFound, Unknown

FORMAT = 1
CHUNK = 1 << 20
SEGMENT, SET = 1, 2  # kinds of files
_HEADER_BYTES, _ENTRY_BYTES, _SUM_BYTES = 96, 40, 8

Entry = collections.namedtuple(
    "Entry", "number kind salt bytes first_position copied_by sums")


def _chunks(size):
    return -(-size // CHUNK)


class Manifest:
    """What stands in B.backup."""

    def __init__(self, data):
        cursor = layout.Cursor(data)
        if data[:4] != b"STBK" or len(data) < _HEADER_BYTES:
            raise Malformed("this is no manifest")
        cursor.take(4)
        if cursor.u32() != crc32c(data[8:]):
            raise Malformed("checksum of the manifest")
        if (version := cursor.u32()) > FORMAT:
            raise Unknown(f"format {version}")
        self.number = cursor.u32()
        self.uuid = cursor.take(16)
        length = cursor.u64()
        self.end_position = cursor.u64()
        self.recorded = cursor.i64()
        self.created = cursor.i64()
        self.new_bytes = cursor.u64()
        self.previous = cursor.u32()
        count = cursor.u32()
        self.end_offset = cursor.u64()
        self.new_files = cursor.u32()
        if cursor.u32() != 0 or version != FORMAT or length != len(data) or \
                self.number == 0:
            raise Malformed("content of the manifest")
        self.files = self._read_files(cursor, count)
        self._check()

    def _read_files(self, cursor, count):
        entries = []
        sums = layout.Cursor(cursor.data)
        sums.at = cursor.at + count * _ENTRY_BYTES
        for _ in range(count):
            fields = (cursor.u32(), cursor.u32(), cursor.u64(), cursor.u64(),
                      cursor.u64(), cursor.u32())
            if cursor.u32() != 0:
                raise Malformed("content of the manifest")
            entries.append(Entry(*fields, [
                sums.u64() for _ in range(_chunks(fields[3]))]))
        if sums.left > 0:
            raise Malformed("more sums than chunks")
        return entries

    def _check(self):
        own = [f for f in self.files if f.copied_by == self.number]
        positions = [f.first_position for f in self.files]
        if any(f.kind not in (SEGMENT, SET) or f.number == 0 or f.bytes == 0
               or not 0 < f.copied_by <= self.number for f in self.files) or \
                positions != sorted(set(positions)) or 0 in positions or \
                max(positions, default=0) >= self.end_position or \
                self.previous >= self.number or \
                self.new_files != len(own) or \
                self.new_bytes != sum(f.bytes for f in own) or \
                (not self.files and self.recorded != 0):
            raise Malformed("content of the manifest")


def _read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def numbers(folder):
    """Of the backups that a folder has, rising."""
    matches = (re.fullmatch(r"([1-9][0-9]*)\.backup", name)
               for name in os.listdir(folder))
    return sorted(int(match[1]) for match in matches if match)


def manifest(folder, number):
    name = f"{number}.backup"
    try:
        found = Manifest(_read(folder, name))
    except FileNotFoundError:
        raise NotFound(f"{folder} has no backup {number}") from None
    except Malformed as error:
        raise Damage(name, 0, error) from None
    if found.number != number:
        raise Damage(name, 0, f"the manifest is of backup {found.number}")
    return found


class Backup:
    """One backup as the folder of a store that was stopped cleanly."""

    def __init__(self, path, number):
        self.path = path
        self.manifest = manifest(path, number)
        self.files = {f"{f.number}.{'set' if f.kind == SET else 'seg'}": f
                      for f in self.manifest.files}

    def names(self):
        return list(self.files)

    def read(self, name):
        """A copy's bytes, all of which are those that were copied."""
        entry = self.files[name]
        copy = f"{entry.copied_by}-{name}"
        try:
            data = _read(self.path, copy)
        except FileNotFoundError:
            raise Damage(copy, 0, "the file is missing") from None
        if len(data) != entry.bytes:
            raise Damage(copy, min(len(data), entry.bytes),
                         f"{len(data)} bytes, not {entry.bytes}")
        for i, total in enumerate(entry.sums):
            if xxh3(data[i * CHUNK:(i + 1) * CHUNK]) != total:
                raise Damage(copy, i * CHUNK, "checksum")
        return data

    def read_super(self):
        m = self.manifest
        last = m.files[-1] if m.files else None
        return layout.Super(
            format=layout.FORMAT, generation=1, mark=m.end_position,
            uuid=m.uuid, spare0=0, spare1=0, reserved=0,
            live=last.number if last and last.kind == SEGMENT else 0,
            clean_file=last.number if last else 0,
            clean_end=m.end_offset if last else 0,
            clean_position=m.end_position if last else 0)


def check(store):
    """What a manifest says of its store, once that was read."""
    m = store.segments.folder.manifest
    newest = store.records[-1]
    if len(store.records) != m.end_position or store.known != m.end_position:
        raise Damage(f"{m.number}.backup", 0,
                     f"ends at position {m.end_position - 1}, its files at "
                     f"{len(store.records) - 1}")
    if m.recorded != (newest.recorded if newest else 0):
        raise Damage(f"{m.number}.backup", 0, "when it ends")
    for entry, file in zip(m.files, store.segments.chain, strict=True):
        salt = (file.trailer if entry.kind == SET else file.header).salt
        if entry.number != file.number or salt != entry.salt or \
                entry.first_position != file.header.first_position:
            raise Damage(f"{m.number}.backup", 0, f"entry of {file.name}")
