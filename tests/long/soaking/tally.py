"""What came back, counted; and whatever must not have, kept."""

import re
from collections import Counter, defaultdict
from itertools import count

# How many are kept in full.
MOST = 40
NONCE = re.compile(r"n[0-9a-f]{8}x[0-9]+z")


class Tally:
    def __init__(self, seed):
        self.seed, self.serials = seed, count(1)
        self.counts, self.errors, self.heard, self.kinds = Counter(), Counter(), Counter(), Counter()
        self.wrong = []
        # What the trail must have: principal, method, JSON-RPC id, and the verdict where it is known.
        self.answered = {}
        # Every session that was opened, and those of them that were not ended: whose they are.
        self.opened, self.sessions = {}, {}
        # What belongs to one caller and is tried by others: states and cursors.
        self.states, self.cursors = [], []
        # Which servers were ended, and when.
        self.ended = defaultdict(list)

    def violation(self, kind, text):
        self.kinds[kind] += 1
        if len(self.wrong) < MOST:
            self.wrong.append(f"{kind}: {text}")

    def nonce(self):
        return f"n{self.seed:08x}x{next(self.serials)}z"

    def error(self, message):
        """Counts an error that is allowed, by its words."""
        self.errors[re.sub(r"`[^`]*`", "`…`", message)] += 1

    def was_ended(self, server, since):
        return any(at >= since for at in self.ended[server])
