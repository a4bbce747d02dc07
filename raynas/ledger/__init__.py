"""The durable record of a run: the single source of truth, from which everything else can be rebuilt.

An append-only list of events in SQLite (write-ahead log, synchronous=FULL), one writer, any number of readers. Every
record carries a checksum. Graphs are stored in parts, each once, so that a trial costs its answers and its cells.

Events: `asked` (a strategy's proposal became a trial), `measured` (a reading), `ended` (how a trial ended and why),
`noted` (what a person should know), `opened` and `closed` (a session of the search began or ended).
"""

from raynas.ledger.database import COUNT, FILE, LOCK, VERSION
from raynas.ledger.events import Event, Recorded, measurement_of
from raynas.ledger.ledger import TRACEBACK, Ledger

__all__ = ["COUNT", "FILE", "LOCK", "TRACEBACK", "VERSION", "Event", "Ledger", "Recorded", "measurement_of"]
