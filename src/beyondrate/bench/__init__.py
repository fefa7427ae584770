"""How fast: the hot work beside the same work in the frameworks that people use, timed in one process.

The room itself answers when called: ``br.bench()`` is ``beyondrate.bench.run.bench``.
"""

from beyondrate.callable_room import answers_with

answers_with(__name__, "beyondrate.bench.run", "bench")
