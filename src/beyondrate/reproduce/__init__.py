"""Papers' figures and tables made again, each by its name, with the published numbers beside ours.

The room itself answers when called: ``br.reproduce("yu2025/fig5")`` is ``reproduce.run.reproduce``.
"""

from beyondrate.callable_room import answers_with

answers_with(__name__, "beyondrate.reproduce.run", "reproduce")
