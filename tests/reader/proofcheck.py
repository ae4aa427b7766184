#!/usr/bin/env python3
"""Check a proof: docs/FORMAT.md, section "Proof", and nothing else.

usage: proofcheck.py FILE     prints each machine, its last seq and its head
"""
import hashlib
import json
import struct
import sys


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def header(data):
    """(namespace, id), seq, position, recorded and the parent, if it forks."""
    size, at = varint(data, 4)
    key = data[3], data[at:at + size]
    seq, at = varint(data, at + size)
    position, recorded = struct.unpack_from("<Qq", data, at)
    _, at = varint(data, at + 16)
    if data[1] & 4:
        _, at = varint(data, at)
    if data[1] & 8:
        size, at = varint(data, at)
        at += size
    parent = None
    while at < len(data):
        tag, at = varint(data, at)
        size, at = varint(data, at)
        if tag >> 1 == 23:
            forked, begin = varint(data, at)
            parent = (data[begin], data[begin + 1:at + size]), forked
        at += size
    return key, seq, position, recorded, parent


def check(lines):
    """Give (namespace, id), last seq and head of each machine."""
    assert lines.pop(0) == {"stet_proof": 1} and lines.pop()["end"] > 0
    before = key = None
    for line in lines:
        if "machine" in line:
            assert key is None
            key = line["namespace"], bytes.fromhex(line["machine"])
            chain, last, stored = bytes(32), None, (0, -1 << 63)
        elif "cut" in line:
            last, chain = line["cut"], bytes.fromhex(line["chain"])
        elif "head" in line:
            assert (line["seq"], bytes.fromhex(line["head"])) == (last, chain)
            yield key, last, line["head"]
            before, key = (key, last), None
        else:
            told = bytes.fromhex(line["header"])
            bound = (bytes.fromhex(line["commitment"]) if "commitment" in line
                     else sha256(bytes.fromhex(line["salt"]),
                                 bytes.fromhex(line["body"])))
            chain = sha256(chain, sha256(told, bound))
            whose, seq, position, recorded, parent = header(told)
            assert (whose, seq, chain.hex()) == (key, line["seq"],
                                                 line["chain"])
            assert position > stored[0] and recorded >= stored[1]
            if last is None:
                assert parent or before is None
                last = parent[1] if parent else 0
            assert seq == last + 1
            last, stored = seq, (position, recorded)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="ascii") as file:
        for (namespace, name), seq, head in check([json.loads(x) for x in file]):
            print(namespace, name.decode("utf-8", "replace"), seq, head)
