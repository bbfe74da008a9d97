"""How fast are assignments and matchings on this GPU? Writes gpu.json and gpu.md, the device and driver in them.

    python benchmarks/bench_gpu.py [--output FOLDER] [--only batches large matching unet]

Rivals that are not installed are left out: torch-linear-assignment (``pip install torch-linear-assignment``), SciPy
on the host; so is the U-Net where diffusers is not. Times are the least of several runs, the device waited for;
transfers are counted where results or matrices cross to the host.
"""

import time
from pathlib import Path

import numpy as np
import scipy.optimize
from common import environment
from common.command import command_line
from networks import shapes

import rebasin_fast as rf
from rebasin_fast.permutation import invert_permutation, random_permutation

REPEATS = 5


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--output", type=Path, default=environment.RESULTS)
    parser.add_argument("--only", nargs="*", default=list(QUESTIONS))
    options = parser.parse_args()
    if not rf.cuda.is_available():
        raise SystemExit("no CUDA device, or rebasin_fast was built without its CUDA module")
    import torch

    rows: list[tuple[str, str, float]] = []
    for name in options.only:
        for row in QUESTIONS[name](torch):
            print(f"{row[0]:45s} {row[1]:45s} {1e3 * row[2]:12.2f} ms", flush=True)
            rows.append(row)
    device = {**rf.cuda.devices()[0], **_versions(torch)}
    table = environment.markdown_table(
        ["problem", "program", "milliseconds"], [[what, who, f"{1e3 * s:.2f}"] for what, who, s in rows]
    )
    line = f"{device['name']}, driver for CUDA {device['driver']}, torch {torch.__version__}"
    environment.write_results(
        "gpu",
        {"device": device, "rows": rows},
        f"{line}; {environment.environment_line()}\n\n{table}",
        options.output,
    )


def _versions(torch):
    from rebasin_fast._native import cuda as native

    return {**native.load().versions(), "torch": torch.__version__, "torch_cuda": torch.version.cuda}


def _least(torch, body, repeats=REPEATS):
    body()
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        began = time.perf_counter()
        body()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return min(times)


def _gram(torch, k, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(k, n, n, generator=generator).cuda() for _ in range(2))
    return a @ b.transpose(1, 2)


def measure_batches(torch):
    """Many problems at once; the kernel alone, and the public call with its answer's status on the host."""
    from rebasin_fast._arrays.torch import TorchArrays
    from rebasin_fast.assignment.device import kernels

    library = TorchArrays()
    for k, n in ((1000, 32), (1000, 64), (208, 300), (64, 512), (64, 1024), (132, 1024)):
        costs = _gram(torch, k, n)
        what = f"{k} Gram problems of {n} x {n}, float32"
        found = kernels.solve_batch(costs, library, maximize=True, start=None)
        start = (found.row_duals, found.column_duals)
        moved = costs + 1e-3 * costs.std() * torch.randn_like(costs)
        yield (
            what,
            "kernel",
            _least(torch, lambda c=costs: kernels.solve_batch(c, library, maximize=True, start=None)),
        )
        yield (
            what,
            "kernel, changed by 1e-3, from duals",
            _least(torch, lambda c=moved, s=start: kernels.solve_batch(c, library, maximize=True, start=s)),
        )
        yield (
            what,
            "rf.solve_assignment",
            _least(torch, lambda c=costs: rf.solve_assignment(c, maximize=True)),
        )
        yield from _rival_batches(torch, what, costs)
        host = costs.cpu().numpy()
        if n <= 512:
            yield (
                what,
                "rebasin_fast, CPU, one thread",
                _wall(lambda h=host: rf.solve_assignment(h, maximize=True)),
            )
            yield what, "scipy, one thread", _wall(lambda h=host: [_scipy(one) for one in h])


def _rival_batches(torch, what, costs):
    try:
        from torch_linear_assignment import batch_linear_assignment
    except ImportError:
        return
    negated = -costs
    yield what, "torch-linear-assignment", _least(torch, lambda: batch_linear_assignment(negated), 3)


def _scipy(costs):
    return scipy.optimize.linear_sum_assignment(costs, maximize=True)


def _wall(body):
    began = time.perf_counter()
    body()
    return time.perf_counter() - began


def measure_large(torch):
    """One Gram matrix that lies on the device: lists to the host, against copying it whole."""
    from rebasin_fast._arrays.torch import TorchArrays
    from rebasin_fast.assignment.device.large import solve_large

    library = TorchArrays()
    for n in (512, 1024, 2048, 4096, 8192):
        costs = _gram(torch, 1, n)[0]
        what = f"one Gram matrix of {n} x {n}, float32"
        host = costs.cpu().numpy()
        yield (
            what,
            "device to answer",
            _least(torch, lambda c=costs: rf.linear_sum_assignment(c, maximize=True), 3),
        )
        yield (
            what,
            "lists to the host",
            _least(torch, lambda c=costs: solve_large(c, library, maximize=True), 3),
        )
        yield what, "copy, then CPU", _least(
            torch, lambda c=costs: rf.linear_sum_assignment(c.cpu().numpy(), maximize=True), 3
        )  # fmt: skip
        yield what, "CPU, matrix on the host", min(
            _wall(lambda h=host: rf.linear_sum_assignment(h, maximize=True)) for _ in range(3)
        )  # fmt: skip


def measure_matching(torch):
    """ResNet-50, unrelated weights: resident on the device, on the CPU, and the published loop with SciPy."""
    rng = np.random.default_rng(0)
    spec, layers = rf.specs.resnet50(), shapes.resnet50()
    a, b = shapes.random_params(layers, rng), shapes.random_params(layers, rng)
    what = "ResNet-50, unrelated weights"
    on_device = [{name: torch.from_numpy(array).cuda() for name, array in model.items()} for model in (a, b)]
    orders = [rng.permutation(spec.permutations).tolist() for _ in range(100)]
    results = {}

    def run(name, *models, **options):
        results[name] = rf.weight_matching(spec, *models, order=orders, strict=False, **options)

    yield what, "resident, parameters on the device", _least(torch, lambda: run("device", *on_device), 3)
    yield (
        what,
        "resident, parameters on the host",
        _least(torch, lambda: run("moved", a, b, device="cuda"), 3),
    )
    yield what, "CPU", _wall(lambda: run("cpu", a, b))
    print({name: (found.objective, found.sweeps, found.stats) for name, found in results.items()})
    yield (
        what,
        "products on the GPU, SciPy on the host",
        _wall(lambda: _published(torch, spec, on_device, orders)),
    )


def _published(torch, spec, models, orders):
    """Every similarity formed whole by torch, every assignment by SciPy, one visit at a time."""
    from unittest import mock

    from rebasin_fast._arrays.operations import TorchOperations
    from rebasin_fast.matching.device import on_device

    class Scipy:
        def assign(self, matrices, _):
            return [self._assigned(matrix.cpu().numpy()) for matrix in matrices]

        def _assigned(self, matrix):
            rows, columns = _scipy(matrix)
            none = np.zeros(len(matrix))
            return rf.Assignment(columns, none, none, float(matrix[rows, columns].sum()), 0.0)

    largest = max(spec.sizes(models[0]).values())
    nothing_kept = 4 * (largest**2 + 4 * max(1 << 20, 256 * largest))  # bytes: room for one similarity
    chosen = TorchOperations("cuda"), Scipy()
    with mock.patch.object(on_device, "choose_operations", return_value=chosen):
        return rf.weight_matching(spec, *models, order=orders, strict=False, memory_limit=nothing_kept)


def measure_unet(torch):
    """Stable Diffusion 1.5's U-Net in float16 and a permuted copy with noise, both on the device."""
    try:
        from stable_diffusion import unet

        model, inputs = unet()
    except ImportError as error:
        print(f"left out: the U-Net ({error})")
        return
    spec = rf.trace_spec(model, inputs, verify=False)
    generator = torch.Generator("cuda").manual_seed(0)
    a = {name: _draw(torch, tensor.shape, generator) for name, tensor in model.state_dict().items()}
    hidden = random_permutation(spec, spec.sizes(a), np.random.default_rng(0))
    b = {name: tensor + _draw(torch, tensor.shape, generator) / 2 for name, tensor in a.items()}
    b = rf.apply_permutation(spec, hidden, b)
    found = []
    seconds = _wall(lambda: found.append(rf.weight_matching(spec, a, b)))
    back = invert_permutation(hidden, spec)
    units = sum(index.size for index in back.values())
    right = sum(int((found[0].permutation[name] == index).sum()) for name, index in back.items())
    yield f"U-Net of Stable Diffusion 1.5, {right} of {units} units recovered", "resident", seconds


def _draw(torch, shape, generator):
    return torch.randn(shape, generator=generator, device="cuda").div_(50).half()


QUESTIONS = {
    "batches": measure_batches,
    "large": measure_large,
    "matching": measure_matching,
    "unet": measure_unet,
}

if __name__ == "__main__":
    main()
