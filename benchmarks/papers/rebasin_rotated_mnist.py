"""Re-basin incremental learning on Rotated MNIST, one part after the other (Guerrero-Peña et al., CVPR 2023).

The published penalty and the Fisher penalty, with permutations by Sinkhorn, by straight-through, faster, and without::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/rebasin_rotated_mnist.py

About two minutes a row and seed on one core; finished tasks are kept, and a run goes on from them (``--seconds`` ends
one early). ``--images 12000 --test-images 2000`` takes a fifth of the time. ``--quick`` takes three tasks of 2,000.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from papers.continual import methods, rebasin_settings, streams
from papers.continual.study import Study, main

NOTE = """\
The protocol is that of rotated_mnist.md. "re-basin" has the published penalty, ||delta||^2; the Fisher penalty is ours.
Options of the rows: benchmarks/papers/continual/rebasin_settings.py; they were searched on other rotations."""


def stream(seed: int, cache: Path, **size: int) -> streams.Stream:
    return streams.rotated_mnist(seed, **size)


if __name__ == "__main__":
    rows = methods.with_permutations(rebasin_settings.ABLATIONS, (1, 784), (78.14, 0.12))
    quick = {"tasks": 3, "images": 2000, "test_images": 1000}
    study = Study("rebasin_rotated_mnist", "Rotated MNIST, parts of re-basin", stream, rows, NOTE, quick)
    main(study, __doc__)
