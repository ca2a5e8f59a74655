"""Workers: evaluations of one large check, made by any executor of `concurrent.futures`.

The layer and its inputs travel once (`parcel`), small descriptions of where to evaluate travel after them (`tasks`), a
`crew` hands them out and takes the answers in. What is decided is decided here, in the order in which it would be
decided without workers: the report is the same to the last bit.
"""

from __future__ import annotations

from .crew import Crew, WorkerLost
from .far import FarStencil

__all__ = ["Crew", "FarStencil", "WorkerLost"]
