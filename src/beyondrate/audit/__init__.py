"""The timing audit: the plan, the trainings and tests, the metrics, the verdict.

The room itself answers when called, so that ``br.audit(data)`` and ``beyondrate.audit.metrics`` can both be.
"""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Run `beyondrate.audit.run.audit`."""
        from beyondrate.audit.run import audit

        return audit(*args, **kwargs)


sys.modules[__name__].__class__ = _Room
