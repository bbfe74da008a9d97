"""NumPy arrays as if they lay on a CUDA device, for the twins to work on."""

import numpy as np


class HostLibrary:
    """The interface of ``rebasin_fast._arrays.buffers.DeviceLibrary``; ``number`` is the device it claims to be."""

    def __init__(self, number=0):
        self.number = number

    def device(self, array):
        return self.number

    def stream(self, array):
        return 0

    def pointer(self, array):
        return array.ctypes.data

    def strides(self, array):
        return tuple(stride // array.itemsize for stride in array.strides)

    def dtype(self, array):
        return array.dtype.name

    def empty(self, like, shape, dtype):
        return np.empty(shape, dtype)

    def put(self, like, values):
        return np.array(values)

    def get(self, array):
        return array

    def cast(self, array, dtype):
        return array.astype(dtype)

    def rows(self, array, index):
        return array[index]
