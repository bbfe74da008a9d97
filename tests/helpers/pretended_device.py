"""A device that exists nowhere: tensors on it compute on the CPU, but will not be mixed with those of the CPU.

It shows where code forgets a device: an operation on tensors of both, or ``.numpy()`` on a tensor of the device, fails
as it does on a GPU. It goes by the name of torch's "meta" device, which autograd runs without a device behind it.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
_COPIES = ("copy_", "_to_copy")
_INDEXED = ("index", "index_put", "index_put_")  # torch takes indices of the CPU there


class Pretended(torch.Tensor):
    """Says that it lies on the device, and holds a tensor of the CPU."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self, *_args):
        return f"Pretended({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func, _types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class PretendedDevice(TorchDispatchMode):
    """While it lasts, ``device="meta"`` makes tensors of the pretended device."""

    def __torch_dispatch__(self, func, _types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def pretended(tensor):
    """A copy on the device."""
    return Pretended(tensor.detach().clone())


def _run(func, args, kwargs):
    name = func.overloadpacket.__name__
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, Pretended)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Pretended) and tensor.ndim]
    if there and here and name not in _COPIES and not (name in _INDEXED and isinstance(args[0], Pretended)):
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, found cpu and {DEVICE}")
    asked = kwargs.get("device")
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    plain = tree_map(lambda leaf: leaf.inner if isinstance(leaf, Pretended) else leaf, (args, kwargs))
    result = func(*plain[0], **plain[1])
    goes_there = isinstance(args[0], Pretended) if name == "copy_" else bool(there)
    if asked is not None:
        goes_there = torch.device(asked) == DEVICE
    if not goes_there:
        return result
    own = {id(tensor.inner): tensor for tensor in there}
    return tree_map(
        lambda leaf: own.get(id(leaf), Pretended(leaf)) if isinstance(leaf, torch.Tensor) else leaf, result
    )
