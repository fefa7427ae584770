"""The timing audit: the plan, the trainings and tests, the metrics, the verdict.

The room itself answers when called: ``br.audit(data)`` is ``beyondrate.audit.run.audit``.
"""

from beyondrate.callable_room import answers_with

answers_with(__name__, "beyondrate.audit.run", "audit")
