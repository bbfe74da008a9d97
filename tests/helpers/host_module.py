"""A stand-in for the compiled CUDA module that reads host memory through pointers and runs the NumPy device_kernels."""

import ctypes

import numpy as np

from reference import device_kernels


class _Memory:
    def __init__(self, interface):
        self.__array_interface__ = interface


def view(pointer, shape, dtype, strides=None):
    """Memory as an array; ``strides`` count entries."""
    dtype = np.dtype(dtype)
    if 0 in shape:
        return np.empty(shape, dtype)
    in_bytes = None if strides is None else tuple(int(stride) * dtype.itemsize for stride in strides)
    interface = {"data": (int(pointer), False), "typestr": dtype.str, "strides": in_bytes, "version": 3}
    return np.asarray(_Memory(interface | {"shape": tuple(int(n) for n in shape)}))


class RowFetcher:
    """Rows of a matrix through a C function that ctypes makes."""

    def __init__(self, pointer, wide, columns, row_stride, negate, device, stream):
        kind = np.dtype(np.float64 if wide else np.float32)

        def fetch(_, row, out):
            entries = view(pointer + row * row_stride * kind.itemsize, (columns,), kind)
            view(out, (columns,), kind)[...] = -entries if negate else entries
            return True

        self._function = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)(
            fetch
        )
        self.function = ctypes.cast(self._function, ctypes.c_void_p).value
        self.context = 0


class HostModule:
    """The interface of `rebasin_fast._cuda` on "device" 0, which is host memory."""

    RowFetcher = RowFetcher

    def __init__(self, device=0):
        self.device = device
        self.calls = []

    def count_devices(self):
        return 1

    def describe(self, device):
        return {"name": "reference", "compute_capability": 0}

    def device_of(self, pointer):
        return self.device

    def assignment_workspace(self, wide, shape, strides, device):
        return 64

    def solve_assignments(
        self, costs, wide, shape, strides, maximize, starts, outputs, workspace, size, device, stream
    ):
        self.calls.append(("solve_assignments", shape, starts[0] != 0))
        k, n, m = shape
        found = device_kernels.solve_batch(
            view(costs, shape, np.float64 if wide else np.float32, strides), maximize=maximize
        )
        shapes = [((k, n), "i8"), ((k, n), "f8"), ((k, m), "f8"), ((k,), "f8"), ((k,), "f8"), ((k,), "i4")]
        for pointer, (extent, dtype), values in zip(outputs, shapes, found, strict=True):
            view(pointer, extent, dtype)[...] = values

    def list_candidates(self, costs, wide, shape, strides, maximize, duals, outputs, device, stream):
        self.calls.append(("list_candidates", shape))
        kind = np.float64 if wide else np.float32
        matrix, v = view(costs, shape, kind, strides), view(duals, shape[1:], "f8")
        n = shape[0]
        invalid = np.isnan(matrix).any() or (matrix == (np.inf if maximize else -np.inf)).any()
        view(outputs[4], (1,), "i4")[0] = invalid
        if invalid:
            return
        found = device_kernels.list_candidates(matrix, v, maximize=maximize)
        for pointer, extent, dtype, values in zip(
            outputs, ((n, 24), (n, 24), (n,)), (kind, "i4", "f8"), found, strict=False
        ):
            view(pointer, extent, dtype)[...] = values
        if outputs[3]:
            view(outputs[3], shape[1:], "f8")[...] = device_kernels.column_minima(
                matrix, 1, maximize=maximize
            )[0]

    def column_minima(self, costs, wide, shape, strides, maximize, blocks, minima, device, stream):
        matrix = view(costs, shape, np.float64 if wide else np.float32, strides)
        view(minima, (blocks, shape[1]), "f8")[...] = device_kernels.column_minima(
            matrix, blocks, maximize=maximize
        )

    def certify(self, costs, wide, shape, strides, maximize, duals, columns, outputs, device, stream):
        self.calls.append(("certify", shape))
        matrix = view(costs, shape, np.float64 if wide else np.float32, strides)
        found = device_kernels.certify(
            matrix, view(duals, shape[1:], "f8"), view(columns, shape[:1], "i8"), maximize=maximize
        )
        for pointer, values in zip(outputs, found, strict=True):
            view(pointer, shape[:1], "f8")[...] = values
