"""NVIDIA GPUs: what is there, and the device side of assignments and matchings.

Nothing here imports torch or CuPy; arrays of either come in by pointer and go out on their own device and stream.
"""

from rebasin_fast._native.cuda import devices, is_available

__all__ = ["devices", "is_available"]
