"""The names, arguments and results of ``lap`` 0.5 and ``lapx`` 0.11, on this package's exact solver.

``from rebasin_fast.compat import lap`` in the place of ``import lap``. Totals are those of an exact optimum in
float64; among equally good assignments another one may be returned, and pairs come in the order of their rows.

Examples
--------
>>> import numpy as np
>>> from rebasin_fast.compat import lap
>>> total, x, y = lap.lapjv(np.array([[0.2, 0.9], [0.9, 0.8]]), extend_cost=True, cost_limit=0.7)
>>> total, x.tolist(), y.tolist()
(0.2, [0, -1], [0, -1])
"""

from rebasin_fast.compat.lap.batch import (
    lapjvh_batch,
    lapjvr_batch,
    lapjvs_batch,
    lapjvsa_batch,
    lapjvx_batch,
    lapjvxa_batch,
    lapmod_batch,
)
from rebasin_fast.compat.lap.dense import lapjv, lapjvc, lapjvh, lapjvr, lapjvs, lapjvsa, lapjvx, lapjvxa
from rebasin_fast.compat.lap.sparse import FP_1, FP_2, FP_DYNAMIC, LARGE, lapmod

__all__ = [
    "FP_1",
    "FP_2",
    "FP_DYNAMIC",
    "LARGE",
    "lapjv",
    "lapjvc",
    "lapjvh",
    "lapjvh_batch",
    "lapjvr",
    "lapjvr_batch",
    "lapjvs",
    "lapjvs_batch",
    "lapjvsa",
    "lapjvsa_batch",
    "lapjvx",
    "lapjvx_batch",
    "lapjvxa",
    "lapjvxa_batch",
    "lapmod",
    "lapmod_batch",
]
