"""Merged indexes: what several sets' indexes say, in one.

docs/FORMAT.md, section "Merged index".
"""
import layout
from damage import Damage, Unknown
from layout import W


class Merged:
    """A file N.idx that is believed."""

    end = 0  # of its content: has none

    def __init__(self, name, data, trailer):
        self.name, self.data, self.trailer = name, data, trailer

    def damage(self, offset, what):
        return Damage(self.name, offset, what)


def read_merged(folder, numbers, uuid, chain):
    """Those that are believed, beside the sets of a chain."""
    found = []
    for number in sorted(numbers):
        name = f"{number}.idx"
        data = folder.read(name)
        trailer = _read_trailer(data)
        if trailer and trailer.file == number and trailer.uuid == uuid and \
                _is_of(trailer, chain):
            found.append(Merged(name, data, trailer))
    return found


def _read_trailer(data):
    try:
        trailer = layout.read_trailer(data[-W:])
    except Unknown:
        return None
    is_one = trailer is not None and trailer.level > 0 and \
        len(data) == (trailer.number + 1) * W
    return trailer if is_one else None


def _is_of(trailer, chain):
    """Does its range begin with a set, and end with the one that it tells?"""
    sets = [file.trailer for file in chain if file.trailer and
            file.trailer.part]
    return any(s.first_position == trailer.first_position for s in sets) and \
        any((s.end_position, s.last_frame_crc) ==
            (trailer.end_position, trailer.last_frame_crc) for s in sets)
