"""Many pieces of work side by side: each is done once, and what is finished stays finished.

A job is a frozen dataclass of plain values with a ``key``, the name of the file that keeps its result. What
does it is named as "module:function": a function of the run's folder, the job's values and a ``Tell``, which
returns the result as JSON-like values.
"""

from beyondrate.jobs.pool import Pool, default_workers
from beyondrate.jobs.results import Job, has_result, read_json, read_result, write_json
from beyondrate.jobs.work import Tell

__all__ = [
    "Job",
    "Pool",
    "Tell",
    "default_workers",
    "has_result",
    "read_json",
    "read_result",
    "write_json",
]
