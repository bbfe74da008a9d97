"""Record the answers of JAX and the original program, for the tests that run without them.

    pip install jax scipy flax
    git clone https://github.com/samuela/git-re-basin
    cd tests && python -m compat.record_with_jax ../git-re-basin/src > compat/recorded_by_jax.json

The committed record is of JAX 0.10.2 on a CPU, and of the function ``weight_matching`` of the original's commit
4f4d83ed, from a copy of that function alone, which needs no flax.
"""

from __future__ import annotations

import json
import sys
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from helpers.published_pairs import CASES, pair

COUNTS = (1, 2, 3, 12, 15, 37, 2000)  # 2000 needs two rounds of sorting


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    from weight_matching import weight_matching

    orders = []
    for partitionable in (True, False):
        jax.config.update("jax_threefry_partitionable", partitionable)
        for seed in (0, 123, 2**32 - 1):
            for sweep in (0, 1, 99):
                key = jax.random.fold_in(jax.random.PRNGKey(seed), sweep)
                drawn = [np.asarray(jax.random.permutation(key, count), np.int64) for count in COUNTS]
                orders.append(
                    {
                        "partitionable": partitionable,
                        "seed": seed,
                        "sweep": sweep,
                        "small": [order.tolist() for order in drawn[:-1]],
                        "crc32_of_largest": zlib.crc32(drawn[-1].tobytes()),
                    }
                )
    jax.config.update("jax_threefry_partitionable", True)
    matchings = {}
    for case in CASES:
        spec, a, b = pair(case)
        a, b = ({k: jnp.asarray(v) for k, v in params.items()} for params in (a, b))
        found = weight_matching(jax.random.PRNGKey(5), spec, a, b, silent=True)
        matchings[case] = {p: np.asarray(index).tolist() for p, index in found.items()}
    record = {"jax": jax.__version__, "counts": COUNTS, "orders": orders, "matchings": matchings}
    sys.stdout.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
