"""The hot operations, one folder each: a readable reference, fast kernels, and one choice between them.

Operations know arrays and tensors only. ``reference.py`` is plain torch and runs anywhere, ``cpu.py`` holds
the numba kernels and ``cuda.py`` those in Triton. ``__init__.py`` chooses (``backend=None`` by device and
type, or by name) and gives the gradient.
"""
