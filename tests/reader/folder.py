"""A store's folder: the names in it, and what its files hold."""
import os

import layout
from damage import Damage, Unknown
from layout import W


class Folder:
    """One that a store has for itself."""

    def __init__(self, path):
        self.path = path

    def names(self):
        return os.listdir(self.path)

    def read(self, name):
        with open(os.path.join(self.path, name), "rb") as file:
            return file.read()

    def read_super(self):
        """What counts of the two slots."""
        try:
            data = self.read("super")
        except FileNotFoundError:
            raise Damage("super", 0, "the file is missing") from None
        slots = []
        for at in (0, W):
            try:
                slots.append(layout.read_super(data[at:at + W]))
            except Unknown as unknown:
                raise Damage("super", at, unknown) from None
        sound = [slot for slot in slots if slot is not None]
        if not sound:
            raise Damage("super", 0, "neither slot is sound")
        return max(sound, key=lambda slot: slot.generation)
