"""Two ResNet-50s on ImageNet: loss, top-1 and top-5 accuracy along the line, naive and matched, with BatchNorm reset.

The ImageNet figures of Git Re-Basin (Ainsworth et al. 2022, loss and figure 12), and the ResNet-50 of REPAIR (Jordan et
al. 2022). The images are a folder with train/ and val/, each with a folder a class; the networks are two files of
torchvision's ResNet-50 (state dicts, .pth or .safetensors)::

    python benchmarks/papers/imagenet_line.py --images /path/to/imagenet --a first.pth --b second.pth

Not measured here, for want of the images. A point takes 50,000 forward passes: about an hour on two cores, or six
minutes with ``--count 5000``. Finished lines are kept in the cache. ``--quick`` runs the whole program on a generated
folder of noise with narrow random networks, in under a minute.
"""

import argparse
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import imagenet

import rebasin_fast as rf
from rebasin_fast._drawing import label_axes

# Top-1 halfway: Git Re-Basin (text and figure 12), with BatchNorm statistics measured again.
PUBLISHED = {"naive": "0.15 %", "matched": "51.01 %"}
NOT_RESET = {"naive": "", "matched": "0.28 % (REPAIR)"}


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--images", type=Path, help="folder with train/ and val/")
    parser.add_argument("--a", type=Path, help="checkpoint of the first network")
    parser.add_argument("--b", type=Path, help="checkpoint of the second network")
    parser.add_argument("--points", type=int, default=11)
    parser.add_argument("--count", type=int, help="validation images, drawn at random; all by default")
    parser.add_argument("--reset-count", type=int, default=8192, help="training images for BatchNorm")
    parser.add_argument("--restarts", type=int, default=3, help="weight matchings, of which the best counts")
    parser.add_argument("--workers", type=int, default=0, help="processes that decode images")
    parser.add_argument("--quick", action="store_true", help="a generated folder and narrow random networks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with ExitStack() as stack:
        if options.quick:
            options.images = stack.enter_context(imagenet.fake_folder())
            options.points, options.count, options.reset_count, options.restarts = 3, 12, 12, 1
        elif not (options.images and options.a and options.b):
            parser.error("--images, --a and --b are needed, or --quick")
        curves = measured(options)
    options.results.mkdir(parents=True, exist_ok=True)
    name = "imagenet_line_quick" if options.quick else "imagenet_line"
    draw(curves).savefig(options.results / f"{name}.png", dpi=110)
    finish(name, *account(curves, options), options.results)


def networks(options: argparse.Namespace) -> tuple[torch.nn.Module, Any, Any]:
    """The model that runs them, and the two sets of parameters."""
    if not options.quick:
        return imagenet.resnet50(), rf.load_params(options.a), rf.load_params(options.b)
    ends = []
    for seed in range(2):
        torch.manual_seed(seed)
        ends.append(imagenet.resnet50(classes=6, width=8).state_dict())
    return imagenet.resnet50(classes=6, width=8), *ends


def measured(options: argparse.Namespace) -> dict[str, rf.LossCurve]:
    """The four lines, each from the cache where it is there."""
    model, a, b = networks(options)
    crop = 40 if options.quick else imagenet.CROP
    shared = {"crop": crop, "workers": options.workers}
    val = imagenet.Split(options.images, "val", options.count, **shared)
    train = imagenet.Split(options.images, "train", options.reset_count, **shared)
    spec = rf.specs.for_params(a)
    matching = rf.weight_matching(spec, a, b, restarts=options.restarts, threads=options.threads)
    ends = {"naive": b, "matched": rf.apply_permutation(spec, matching.permutation, b)}
    curves = {}
    for units, end in ends.items():
        for reset in (None, train):
            title = f"{units}, BatchNorm reset" if reset else units
            path = None if options.quick else kept(options, title)
            if path is not None and path.exists():
                curves[title] = rf.LossCurve.load(path)
                continue
            print(title, file=sys.stderr)
            evaluate = partial(imagenet.evaluate, model, split=val, reset=reset)
            curves[title] = rf.loss_curve(evaluate, a, end, options.points, progress=True)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                curves[title].save(path)
    return curves


def kept(options: argparse.Namespace, title: str) -> Path:
    """File of a finished line of these two checkpoints, counts and points."""
    names = "_".join(f"{path.stem}-{path.stat().st_size}" for path in (options.a, options.b))
    sizes = f"{options.points}_{options.count or 'all'}_{options.reset_count}"
    kind = title.replace(", ", "_").replace(" ", "_")
    return Path(options.cache) / f"imagenet_line_{names}_{sizes}_{kind}.npz"


def account(curves: dict[str, rf.LossCurve], options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Raw numbers and the table."""
    rows = []
    for title, curve in curves.items():
        middle = len(curve.ts) // 2
        units, _, reset = title.partition(", ")
        rows.append(
            [
                title, f"{curve.values['loss'][middle]:.3f}", f"{curve.values['top1'][middle]:.2%}",
                f"{curve.values['top5'][middle]:.2%}", f"{curve.barrier():.3f}",
                (PUBLISHED if reset else NOT_RESET)[units],
            ]
        )  # fmt: skip
    header = ["line", "loss halfway", "top-1", "top-5", "barrier of the loss", "published top-1 halfway"]
    note = (
        f"{options.count or 'All'} validation images, {options.points} points, BatchNorm from {options.reset_count} "
        "training images. Published: top-1 halfway between two ResNet-50s, Git Re-Basin with statistics measured "
        "again; REPAIR has 53.34 % matched with statistics measured again and 56.24 % repaired."
    )
    if options.quick:
        note = "**Generated images and random narrow networks: the numbers mean nothing.** " + note
    raw = {title: curve.to_dict() for title, curve in curves.items()}
    return {"curves": raw}, f"{markdown_table(header, rows)}\n\n{note}"


def draw(curves: dict[str, rf.LossCurve]) -> Any:
    """A panel a metric, a line each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained", facecolor="white")
    panels = figure.subplots(1, 3)
    for axes, metric in zip(panels, ("loss", "top1", "top5"), strict=True):
        for style, (title, curve) in enumerate(curves.items()):
            curve.plot(axes, metric=metric, label=title, style=style)
        label_axes(
            axes, title={"loss": "loss", "top1": "top-1 accuracy", "top5": "top-5 accuracy"}[metric], x="t"
        )
    panels[0].legend(frameon=False, fontsize=9.5)
    return figure


if __name__ == "__main__":
    main()
