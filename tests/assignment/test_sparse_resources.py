"""Sparse costs: memory proportional to the entries, and interrupts."""

import signal
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import rebasin_fast as rf

MEMORY = """
import resource, sys
import numpy as np, scipy.sparse as sp, rebasin_fast as rf
n, degree = 100_000, 10
rng = np.random.default_rng(0)
columns = np.hstack([rng.integers(0, n, (n, degree - 1)), np.arange(n)[:, None]])
costs = np.where(columns == np.arange(n)[:, None], 0.1, 1.0 + rng.random((n, degree)))
cost = sp.csr_array((costs.ravel(), (np.repeat(np.arange(n), degree), columns.ravel())), shape=(n, n))
rf.solve_assignment(sp.eye_array(3))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert rf.solve_assignment(cost).gap < 1e-6
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / cost.nnz)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts kilobytes on Linux")
def test_memory_is_proportional_to_the_entries():
    found = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    # 12 bytes an entry and 100 to 200 a line, of which there are 0.2 an entry; a dense row would be 800 kB.
    assert float(found.stdout) < 80


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this platform")
def test_signals():
    n = 100_000
    rng = np.random.default_rng(1)
    columns = np.hstack([rng.integers(0, n, (n, 19)), rng.permutation(n)[:, None]]).ravel()
    cost = sp.csr_array((rng.random(20 * n), (np.repeat(np.arange(n), 20), columns)), shape=(n, n))
    cost.sum_duplicates()

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            rf.solve_assignment(cost)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
