"""What can go wrong with the records themselves, as opposed to what is in them."""


class RecordsFailed(OSError):
    """The database cannot be read or written. Nothing of the write is kept; the same call may succeed later."""


class NewerRecords(Exception):
    """The revision of the database is none that this Fairway knows."""
