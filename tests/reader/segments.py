"""Which files of a store's folder count, and which of their frames.

As docs/FORMAT.md has it, from Files to Frame and under Torn tail or damage.
No locks are taken and nothing is written: the store must not have a writer meanwhile.
"""
import re

import layout
from damage import Damage, Malformed, Unknown
from layout import W
from merged import read_merged
from sets import Set


class File:
    """A file N.seg: its bytes, and what is found in them."""

    def __init__(self, folder, number):
        self.number = number
        self.name = f"{number}.seg"
        self.data = folder.read(self.name)
        self.header = None   # that counts, else None
        self.trailer = None  # that is believed, else None
        self.frames = []     # of the content
        self.end = W         # offset at which they end

    def damage(self, offset, what):
        return Damage(self.name, offset, what)

    @property
    def limit(self):
        """Bytes in which frames may lie."""
        return min(len(self.data) // W * W, self.header.capacity)

    @property
    def end_position(self):
        last = self.frames[-1].header if self.frames else None
        return last.first_position + last.events if last else \
            self.header.first_position


def _known_format(file, offset, read, *arguments):
    try:
        return read(*arguments)
    except Unknown as unknown:
        raise file.damage(offset, unknown) from None


class Segments:
    """A store's chain of segments, oldest first, each with its frames."""

    def __init__(self, folder):
        self.folder = folder
        self.super = folder.read_super()
        self.sets = self._read_sets()
        self.files = self._read_files()
        self.chain = self._find_chain()
        self.known = max(1, self.super.mark, self.super.clean_position)
        self.next = 1
        self.is_clean = False
        for file, successor in zip(self.chain, [*self.chain[1:], None]):
            self._read_content(file, successor)
        self.merged = read_merged(folder, self._numbers("idx"),
                                  self.super.uuid, self.chain)
        self._check_above()
        self._check_known()
        self.torn_bytes = self._count_torn()

    # Files.

    def _numbers(self, suffix):
        matches = (re.fullmatch(rf"([1-9][0-9]*)\.{suffix}", name)
                   for name in self.folder.names())
        return [int(match[1]) for match in matches if match]

    def _read_sets(self):
        """All of them; those that are not believed have no trailer."""
        sets = [Set(self.folder, n) for n in sorted(self._numbers("set"))]
        for file in sets:
            at = len(file.data) - W
            trailer = _known_format(file, at, layout.read_trailer,
                                    file.data[max(at, 0):])
            if trailer is None or len(file.data) % W or at < 2 * W or \
                    trailer.part is None or trailer.file != file.number or \
                    at != trailer.end_offset + trailer.number * W:
                continue
            if trailer.uuid != self.super.uuid:
                raise file.damage(at, "the set is of another store")
            file.trailer = trailer
        return sets

    def _read_files(self):
        numbers = self._numbers("seg")
        files = {n: File(self.folder, n) for n in sorted(numbers)}
        for file in files.values():
            self._read_header(file)
        named = {self.super.live} | {file.part.predecessor
                                     for file in self.sets if file.trailer}
        # From the newest back: a recovery that does not count names nothing.
        for file in reversed(files.values()):
            if file.header and file.header.flags & layout.RECOVERY and \
                    file.number not in named:
                file.header = None
            if file.header:
                named.add(file.header.predecessor)
        return files

    def _read_header(self, file):
        header = _known_format(file, 0, layout.read_segment_header,
                               file.data[:W])
        if header is None or header.file != file.number:
            return
        if header.uuid != self.super.uuid:
            raise file.damage(0, "the segment is of another store")
        if header.capacity % W or not 2 * W <= header.capacity < 1 << 32 or \
                header.first_position == 0 or \
                header.predecessor >= header.file:
            raise file.damage(0, "content of a segment header")
        file.header = header

    def _find_chain(self):
        live = self.super.live
        for number in {live, self.super.spare0, self.super.spare1} - {0}:
            file = self.files.get(number)
            if file is None or len(file.data) < 2 * W:
                raise Damage(f"{number}.seg", 0, "the file is missing or cut")
        if live != 0 and self.files[live].header is None:
            raise self.files[live].damage(0, "the header of the live file")
        counted = [n for n, file in self.files.items() if file.header]
        counted += [file.part.last_file for file in self.sets if file.trailer]
        chain = []
        number = max(counted, default=0)
        while number != 0:
            file = self._find_link(number)
            chain.insert(0, file)
            number = file.header.predecessor
        return chain

    def _find_link(self, number):
        """The set that stands for a segment, and for most others; else the
        segment."""
        found = [file for file in self.sets
                 if file.trailer and file.part.last_file == number]
        if found:
            return min(found, key=lambda file: (file.trailer.first_position,
                                                -file.number))
        file = self.files.get(number)
        if file is not None and file.header is not None:
            return file
        for file in self.sets:
            if file.trailer is None:
                raise file.damage(len(file.data) - W, "no sound trailer")
        raise Damage(f"{number}.seg", 0, "a predecessor is missing")

    # Content.

    def _take_set(self, file, successor):
        self._prove(file.end_position)
        self.next = file.end_position
        if successor is None:
            self.is_clean = self.super.clean_file == file.number and \
                self.super.clean_end == file.end
        elif successor.header.predecessor_end != file.part.last_end:
            raise file.damage(len(file.data) - W,
                              "ends where its successor does not say")

    def _read_content(self, file, successor):
        header = file.header
        if header.first_position != self.next:
            raise file.damage(0, f"begins at position {header.first_position}"
                                 f" where {self.next} is due")
        if isinstance(file, Set):
            self._take_set(file, successor)
            return
        self._prove(header.first_position)
        if header.flags & layout.RECOVERY and self.super.live == file.number:
            self._prove(header.copied_end)
        file.trailer = self._read_trailer(file)
        self.is_clean = successor is None and \
            self.super.clean_file == file.number
        end = successor.header.predecessor_end if successor else \
            self.super.clean_end if self.is_clean else None
        trailer = file.trailer
        if trailer and end is not None and trailer.end_offset != end:
            file.trailer = trailer = None
        if trailer:
            self._prove(trailer.end_position)
            end = trailer.end_offset
        if end is None and len(file.data) < header.capacity:
            raise file.damage(len(file.data), "the file is cut")
        self._scan(file, end)
        self.next = file.end_position

    def _read_trailer(self, file):
        """The trailer of a file, by itself and as far as its header goes."""
        at = len(file.data) - W
        if len(file.data) % W or at < 2 * W:
            return None
        trailer = _known_format(file, at, layout.read_trailer, file.data[at:])
        if trailer is None or trailer.part or \
                trailer.file != file.number or \
                trailer.uuid != self.super.uuid or \
                not 2 * W <= trailer.end_offset or \
                at != trailer.end_offset + trailer.number * W:
            return None
        header = file.header
        if header and (trailer.salt != header.salt or
                       trailer.first_position != header.first_position or
                       trailer.end_offset > header.capacity):
            return None
        return trailer

    def _scan(self, file, end):
        """Take the frames that follow each other, up to a named end."""
        limit, header = file.limit, file.header
        previous = header.salt & 0xFFFFFFFF
        position = header.first_position
        while end is None or file.end < end:
            frame = self._frame_of(file, file.end)
            if frame is None or frame.header.previous_crc != previous or \
                    frame.header.first_position != position or \
                    position + frame.header.events - header.first_position > \
                    header.capacity // 32:
                break
            file.frames.append(frame)
            file.end += frame.header.length
            position += frame.header.events
            previous = frame.header.crc
            self._prove(frame.header.durable)
        if end is not None and file.end != end:
            raise file.damage(file.end, f"frames end before {end}")
        if end is None:
            for at in range(file.end + W, limit, W):
                frame = self._frame_of(file, at)
                if frame is not None:
                    self._prove(frame.header.durable)

    @staticmethod
    def _frame_of(file, at):
        """The sound frame of this very segment at an offset, or None."""
        header = layout.peek_frame(file.data, at, file.limit)
        segment = file.header
        if header is None or header.salt != segment.salt or \
                header.file != file.number or \
                header.first_position - header.since_first != \
                segment.first_position or \
                header.durable > header.first_position:
            return None
        return layout.read_frame(file.data, at, file.limit)

    # Known.

    def _prove(self, position):
        self.known = max(self.known, position)

    def _check_above(self):
        """A file that was a segment must not have lost its header."""
        last = self.chain[-1] if self.chain else None
        newest = 0 if last is None else \
            last.part.last_file if isinstance(last, Set) else last.number
        for file in self.files.values():
            if file.number < newest or file.header:
                continue
            if self._read_trailer(file):
                raise file.damage(0, "a sealed segment without a header")
            for at in range(W, len(file.data), W):
                header = layout.peek_frame(file.data, at, len(file.data))
                if header and header.file == file.number and header.durable > \
                        header.first_position - header.since_first and \
                        layout.read_frame(file.data, at, len(file.data)):
                    raise file.damage(0, "a segment without a header")

    def _check_known(self):
        if self.known > self.next:
            last = self.chain[-1] if self.chain else None
            what = f"positions below {self.known} are durable and missing"
            raise last.damage(last.end, what) if last else \
                Damage("super", 0, what)
        if self.chain:
            frames = self.chain[-1].frames
            inside = [f for f in frames if f.header.first_position <
                      self.known < f.header.first_position + f.header.events]
            if inside:
                raise self.chain[-1].damage(inside[0].offset,
                                            "known lies within a frame")

    def _count_torn(self):
        if not self.chain or self.is_clean or self.chain[-1].trailer:
            return 0
        last = self.chain[-1]
        end = last.limit
        while end > last.end and layout.is_zeros(last.data[end - W:end]):
            end -= W
        return end - last.end

    # Records.

    def records(self):
        """Every record, by position."""
        for file in self.chain:
            if isinstance(file, Set):
                yield from file.records()
                continue
            for frame in file.frames:
                position = frame.header.first_position
                for offset, data in frame.records:
                    yield self._record(file, frame, offset, data, position)
                    position += 1

    @staticmethod
    def _record(file, frame, offset, data, position):
        try:
            record = layout.parse_record(data)
        except Malformed as error:
            raise file.damage(offset, error) from None
        record.file, record.offset = file, offset
        record.position = position
        record.recorded = frame.header.recorded
        return record
