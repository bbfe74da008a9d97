"""NVIDIA GPUs: whether device kernels can run, and on which devices."""

from rebasin_fast._native.cuda import devices, is_available

__all__ = ["devices", "is_available"]
