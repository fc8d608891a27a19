"""The audit trail, as who reads it finds it."""

import json


def records(trail):
    """Every record, in order; a line that is none, or a number that is left out, is an error."""
    expected = None
    with trail.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
            except ValueError:
                raise AssertionError(f"line {number} of the trail is no record: {line[:200]!r}") from None
            assert expected is None or record["seq"] == expected, f"line {number}: seq {record['seq']}, not {expected}"
            expected = record["seq"] + 1
            yield record
