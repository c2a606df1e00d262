"""Keeps one client of HTTP/2 from taking the time of all others with frames that ask for nothing.

Frames that only have to be dealt with (pings, settings, windows, priorities, resets, empty data) are paid for from
a budget. Requests that are answered, and data, fill it again, and so does time, a little. nghttp2 allows as many
resets (1,000 at once, then 33 a second), and Envoy bounds pings, settings and priorities in the same way.
"""

from __future__ import annotations

from clarifai_emulator.api.transport.http2_frames import ConnectionFault, ErrorCode

_MOST = 2_000.0
_PER_SECOND = 200.0
FOR_RESET = 2
_FOR_ANSWER = 8
_FOR_DATA = 4


class Pace:
    """The budget of one connection."""

    def __init__(self) -> None:
        self._left = _MOST
        self._at: float | None = None

    def tick(self, now: float) -> None:
        """Fill the budget by the seconds that have passed since the last time."""
        if self._at is not None and self._left < _MOST:
            self._left = min(_MOST, self._left + (now - self._at) * _PER_SECOND)
        self._at = now

    def pay(self, cost: int = 1) -> None:
        """Pay for a frame. Raises ``ConnectionFault`` where the budget does not allow it."""
        self._left -= cost
        if self._left < 0:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, "more frames that ask for nothing than requests need"
            )

    def answered(self) -> None:
        """Take note that a request was answered."""
        self._left = min(_MOST, self._left + _FOR_ANSWER)

    def moved_data(self) -> None:
        """Take note of a frame of data, of either side: clients answer it with windows and pings."""
        self._left = min(_MOST, self._left + _FOR_DATA)
