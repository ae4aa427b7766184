"""Fold 1: what merge, assign and patch make of a JSON state.

Values are what json gives, but for numbers, which keep their text. A dict keeps
its members in the order of the format: setting a member that is there leaves it
in its place, a new one comes last.
"""
import copy
import json
import re

from damage import Malformed


class Number:
    """A number as it was written."""

    def __init__(self, text):
        self.text = text

    def value(self):
        """Sign, digits and power of ten: the same for 1.0, 1 and 0.1e1."""
        sign, whole, fraction, power = re.fullmatch(
            r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?", self.text).groups()
        digits = (whole + (fraction or "")).lstrip("0")
        kept = digits.rstrip("0")
        if not kept:
            return "", "", 0
        power = int(power or 0) - len(fraction or "")
        return sign, kept, power + len(digits) - len(kept)


# Text.


def _members(pairs):
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("two members of one name")
    return members


def _refuse(word):
    raise ValueError(word)


_reader = json.JSONDecoder(object_pairs_hook=_members, parse_int=Number,
                           parse_float=Number, parse_constant=_refuse)


def read(text):
    """Bytes to a value."""
    try:
        value = _reader.decode(text.decode("utf-8"))
        if b"\\u" in text:
            write(value)  # which a lone surrogate cannot be
    except ValueError as error:
        raise Malformed(f"json: {error}") from None
    return value


def write(value):
    """A value to bytes, in the one way of the format."""
    return _text_of(value).encode("utf-8")


def _text_of(value):
    if isinstance(value, Number):
        return value.text
    if isinstance(value, list):
        return "[" + ",".join(map(_text_of, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text_of(name)}:{_text_of(member)}"
                              for name, member in value.items()) + "}"
    # With characters as they are, json escapes as the format does.
    return json.dumps(value, ensure_ascii=False)


def _same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, Number):
        return a.value() == b.value()
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[n], b[n]) for n in a)
    return a == b


# Merge and assign.


def _merge(into, patch):
    for name, member in patch.items():
        if member is None:
            into.pop(name, None)
        elif isinstance(member, dict):
            if not isinstance(into.get(name), dict):
                into[name] = {}
            _merge(into[name], member)
        else:
            into[name] = member


def _object(text):
    value = read(text)
    if not isinstance(value, dict):
        raise Malformed("no json object")
    return value


def merge(state, payload):
    """RFC 7386."""
    value = _object(state or b"{}")
    _merge(value, _object(payload))
    return write(value)


def assign(state, payload):
    """Top-level members replace."""
    value = _object(state or b"{}")
    value.update(_object(payload))
    return write(value)


# Patch.


class _Document:
    """A value that the operations of RFC 6902 change."""

    def __init__(self, root):
        self.top = {"": root}

    def place(self, pointer):
        """The container that a pointer leads into, and the key in it; the
        key of an array is a number, or "-"."""
        container, key = self.top, ""
        for token in _tokens(pointer):
            container, key = _at(container, key), token
            if isinstance(container, list):
                key = token if token == "-" else _index(token)
            elif not isinstance(container, dict):
                raise Malformed(f"{pointer} leads into a scalar")
        return container, key

    def get(self, pointer):
        return _at(*self.place(pointer))

    def add(self, pointer, value):
        container, key = self.place(pointer)
        if isinstance(container, dict):
            container[key] = value
            return
        key = len(container) if key == "-" else key
        if key > len(container):
            raise Malformed(f"no place {pointer}")
        container.insert(key, value)

    def take(self, pointer):
        container, key = self.place(pointer)
        value = _at(container, key)
        if container is self.top:
            raise Malformed("the document must stay")
        del container[key]
        return value

    def replace(self, pointer, value):
        container, key = self.place(pointer)
        _at(container, key)  # which must be there
        container[key] = value


def _at(container, key):
    """The value of a container at a key."""
    try:
        return container[key]
    except (KeyError, IndexError, TypeError):
        raise Malformed(f"nothing is at {key}") from None


def _tokens(pointer):
    if not re.fullmatch("(/([^/~]|~0|~1)*)*", pointer):
        raise Malformed(f"{pointer} is no json pointer")
    return [token.replace("~1", "/").replace("~0", "~")
            for token in pointer.split("/")[1:]]


def _index(token):
    if not re.fullmatch("0|[1-9][0-9]*", token):
        raise Malformed(f"{token} is no index")
    return int(token)


def _apply(document, operation):
    path = operation["path"]
    match operation["op"]:
        case "add":
            document.add(path, operation["value"])
        case "remove":
            document.take(path)
        case "replace":
            document.replace(path, operation["value"])
        case "move":
            if path.startswith(operation["from"] + "/"):
                raise Malformed(f"{path} is inside what is moved")
            document.add(path, document.take(operation["from"]))
        case "copy":
            document.add(path,
                         copy.deepcopy(document.get(operation["from"])))
        case "test":
            if not _same(document.get(path), operation["value"]):
                raise Malformed(f"the value at {path} differs")
        case other:
            raise Malformed(f"{other} is no operation")


def patch(state, payload):
    """RFC 6902."""
    document = _Document(_object(state or b"{}"))
    try:
        for operation in read(payload):
            _apply(document, operation)
    except (KeyError, TypeError):
        raise Malformed("an operation of a patch") from None
    result = document.get("")
    if not isinstance(result, dict):
        raise Malformed("the result is no json object")
    return write(result)
