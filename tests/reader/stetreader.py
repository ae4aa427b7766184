#!/usr/bin/env python3
"""Read a store of stet without stet: written from docs/FORMAT.md alone.

usage: stetreader.py STORE list [--namespace N] [--deleted] [--json]
       stetreader.py STORE load ID [SEQ] [--namespace N] [--json]
       stetreader.py STORE history ID [--namespace N] [--json] [--states]
       stetreader.py STORE verify [--json]
       stetreader.py FOLDER backups [--json]

STORE is a folder, or backup:FOLDER#N for a backup. load writes the state's
bytes to stdout. Names of JSON members are those of the command. Nothing is
locked, nothing is written: no writer may be at work.
Exit codes: 0 done, 1 not found, 2 usage, 4 damaged.
"""
import argparse
import base64
import datetime
import json
import re
import sys
import uuid

import backups
import layout
from damage import Damage, NoReducer, NotFound
from layout import Key
from store import Store
from verify import verify

KINDS = ("", "created", "saved", "transitioned", "updated", "appended",
         "failed", "forked", "migrated", "restored", "deleted")
TYPES = ("", "user_action", "system_event", "timeout", "error_recovery",
         "admin_override")
REDUCERS = ("", "none", "set", "set", "merge", "assign", "patch", "custom")


def time_text(ns):
    """RFC 3339, with all nine digits of the fraction."""
    seconds, fraction = divmod(ns, 10**9)
    day = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{day.isoformat()}.{fraction:09}Z"


class Text(str):
    """JSON text that is to be put in as it is."""


def put_json(value):
    """As json.dumps, with Texts as they are."""
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{put_json(v)}"
                              for k, v in value.items()) + "}"
    return json.dumps(value)


def text_or_none(data):
    return data.decode() if data else None


def _refuse(word):
    raise ValueError(word)


def embedded(name, data):
    """A member that holds JSON, or what is none, in base64."""
    try:
        text = data.decode()
        json.loads(text, parse_constant=_refuse)
    except ValueError:
        return {f"{name}_base64": base64.b64encode(data).decode()}
    return {name: Text(re.sub(r'("(?:[^"\\]|\\.)*")|\s+', r"\1", text))}


def state_members(state):
    """What a state says, as the command's --json has it."""
    members = {
        "state_type": text_or_none(state.type),
        "current_state": text_or_none(state.name),
        "version": text_or_none(state.version),
        "bytes": len(state.data),
        "hash": state.sha256,
        **embedded("state_data", state.data),
    }
    if state.metadata:
        members |= embedded("metadata", state.metadata)
    return members


def event_members(record):
    """What an event says, as the command's --json has it."""
    members = {
        "state_machine_id": record.key.id.decode(),
        "seq": record.seq,
        "position": str(record.position),
        "kind": KINDS[record.kind],
        "timestamp": time_text(record.occurred),
        "recorded_at": time_text(record.recorded),
        "from_state": text_or_none(record.origin),
        "to_state": text_or_none(record.to),
        "action": text_or_none(record.action),
        "actor_id": text_or_none(record.actor),
        "reducer": REDUCERS[record.form],
    }
    if record.body and record.form not in (layout.WHOLE, layout.DELTA):
        members |= embedded("payload", record.body)
    if record.metadata:
        members |= embedded("metadata", record.metadata)
    for name, value in (("error", record.error),
                        ("correlation_id", record.correlation),
                        ("causation_id", record.causation),
                        ("event_id", record.event_id),
                        ("state_type", record.state_type),
                        ("version", record.version)):
        if value:
            members[name] = value.decode()
    if record.reducer:
        members["reducer_version"] = record.reducer[0]
        members["reducer_name"] = record.reducer[1].decode()
    if record.type:
        members["type"] = TYPES[record.type]
    if record.duration_ns:
        members["duration_ms"] = record.duration_ns / 1e6
    if record.has(layout.PHASE_CHANGE):
        members["phase_change"] = True
    return members


# Commands: each gives a line of text, or of JSON, at a time.


def do_list(store, args):
    for head in store.list(args.namespace, args.deleted):
        members = {
            "state_machine_id": head.key.id.decode(),
            "current_state": text_or_none(head.name),
            "seq": head.seq,
            "position": str(head.position),
            "is_deleted": head.is_deleted,
        }
        yield put_json(members) if args.json else \
            f"{members['state_machine_id']}\t{head.name.decode()}\t" \
            f"{head.seq}" + ("\tdeleted" if head.is_deleted else "")


def do_load(store, args):
    key = Key(args.namespace, args.id.encode())
    record = store.newest(key) if args.seq is None else \
        store.at_seq(key, args.seq)
    state = store.state(record)
    if state is None:
        raise NotFound(f"{args.id} is deleted at seq {record.seq}")
    if not args.json:
        sys.stdout.buffer.write(state.data)
        return
    yield put_json({
        "state_machine_id": args.id,
        "namespace": args.namespace,
        **state_members(state),
        "seq": record.seq,
        "position": str(record.position),
        "created_at": time_text(state.created_at),
        "updated_at": time_text(record.occurred),
        "recorded_at": time_text(record.recorded),
    })


def _walk(store, args):
    key = Key(args.namespace, args.id.encode())
    return store.states(key) if args.states else \
        ((record, None) for record in store.history(key))


def do_history(store, args):
    for record, state in _walk(store, args):
        members = event_members(record)
        if args.states:
            members["state"] = state and state_members(state)
        yield put_json(members) if args.json else \
            "{seq} {timestamp} {kind} {from_state} -> {to_state} " \
            "{action}".format_map(members)


def do_verify(store, args):
    report = vars(verify(store))
    if isinstance(store.segments.folder, backups.Backup):
        backups.check(store)
    if args.json:
        yield put_json(report)
    else:
        yield from (f"{name} {n}" for name, n in report.items())


def backup_members(manifest):
    """What a manifest says, as the command's --json has it."""
    return {
        "backup": manifest.number,
        "is_damaged": False,
        "store_uuid": str(uuid.UUID(bytes=manifest.uuid)),
        "previous": manifest.previous,
        "position": str(manifest.end_position - 1),
        "recorded_at": time_text(manifest.recorded)
                       if manifest.end_position > 1 else None,
        "created_at": time_text(manifest.created),
        "files": len(manifest.files),
        "new_files": manifest.new_files,
        "bytes": sum(f.bytes for f in manifest.files),
        "new_bytes": manifest.new_bytes,
    }


def do_backups(folder, args):
    for number in backups.numbers(folder):
        try:
            members = backup_members(backups.manifest(folder, number))
        except Damage:
            members = {"backup": number, "is_damaged": True}
        yield put_json(members) if args.json else \
            f"{number}\t{members.get('position', 'damaged')}"


def open_store(url):
    match = re.fullmatch(r"backup:(.*)#([1-9][0-9]*)", url, re.S)
    return Store(backups.Backup(match[1], int(match[2])) if match else url)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0])
    parser.add_argument("store")
    verbs = parser.add_subparsers(required=True)
    for name, run in (("list", do_list), ("load", do_load),
                      ("history", do_history), ("verify", do_verify),
                      ("backups", do_backups)):
        verb = verbs.add_parser(name)
        verb.set_defaults(run=run)
        verb.add_argument("--json", action="store_true")
        verb.add_argument("--namespace", type=int, default=0)
        if name == "list":
            verb.add_argument("--deleted", action="store_true")
        if name in ("load", "history"):
            verb.add_argument("id")
        if name == "history":
            verb.add_argument("--states", action="store_true")
        if name == "load":
            verb.add_argument("seq", type=int, nargs="?")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        what = args.store if args.run is do_backups else \
            open_store(args.store)
        for line in args.run(what, args):
            print(line)
    except NotFound as error:
        print(f"stetreader: {error}", file=sys.stderr)
        return 1
    except (Damage, NoReducer) as error:
        print(f"stetreader: {error}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
