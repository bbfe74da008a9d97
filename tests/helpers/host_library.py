"""NumPy arrays as if they lay on a CUDA device, for the reference kernels to work on."""

import numpy as np

from rebasin_fast._arrays import DeviceLibrary
from rebasin_fast._arrays.numpy import NumpyArrays


class HostLibrary(NumpyArrays, DeviceLibrary):
    """The interface of ``DeviceLibrary``; ``number`` is the device it claims to be."""

    def __init__(self, number=0):
        self.number = number

    def on_device(self, array):
        return True

    def device(self, array):
        return self.number

    def stream(self, array):
        return 0

    def pointer(self, array):
        return array.ctypes.data

    def strides(self, array):
        return tuple(stride // array.itemsize for stride in array.strides)

    def put(self, like, values):
        return np.array(values)

    def empty(self, like, shape, dtype):
        return np.empty(shape, dtype)
