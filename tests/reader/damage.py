"""What can be wrong with a store."""


class Malformed(ValueError):
    """Bytes that are not what they must be; where they lie is added later."""


class Unknown(Malformed):
    """Sound bytes of a version that knows more than this reader."""


class Damage(Exception):
    """Stored bytes are wrong, in a file, at an offset."""

    def __init__(self, file, offset, what):
        super().__init__(f"{file} at offset {offset}: {what}")
        self.file = file
        self.offset = offset


class NotFound(Exception):
    """No such machine, or no such seq of it."""


class NoReducer(Exception):
    """A state that only the application's own reducer can fold."""
