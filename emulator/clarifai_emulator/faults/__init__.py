"""Decides which requests get the faults that a test asks for, and what happens to each. Pure, no I/O, no clock.

    Fault (fault.py)  ──added to──►  Faults (register.py)  ──decides for each request──►  Injection
      whom: selectors.py · how slow: latency.py · names that nothing has: names.py

``api/injection.py`` does to requests what is decided here.
"""

from __future__ import annotations

from clarifai_emulator.faults.fault import Fault as Fault
from clarifai_emulator.faults.fault import InvalidFault as InvalidFault
from clarifai_emulator.faults.fault import Moment as Moment
from clarifai_emulator.faults.names import unknown_in as unknown_in
from clarifai_emulator.faults.names import unknown_names as unknown_names
from clarifai_emulator.faults.register import ActiveFault as ActiveFault
from clarifai_emulator.faults.register import Faults as Faults
from clarifai_emulator.faults.register import Injection as Injection
from clarifai_emulator.faults.selectors import Subject as Subject
