"""Networks in torch: perceptrons, training that is stopped and resumed, loss and accuracy."""

import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from networks import cifar


def perceptron(*widths: int, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers with an activation between them, with torch's first weights."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def perceptron_with(params: Mapping[str, Any]) -> nn.Sequential:
    """Return the perceptron of these NumPy arrays, in evaluation mode."""
    weights = [array for name, array in params.items() if name.endswith("weight")]
    model = perceptron(weights[0].shape[1], *(len(weight) for weight in weights))
    return loaded(model, {name: torch.from_numpy(array) for name, array in params.items()})


def loaded(model: nn.Sequential, params: Mapping[str, Tensor]) -> nn.Sequential:
    model.load_state_dict(params)
    return model.eval()


def train_epoch(
    model: nn.Module,
    optimizer: Any,
    schedule: Any,
    data: tuple[Tensor, Tensor],
    batch: int,
    *,
    count: int | None = None,
    augmented: Callable[[Tensor], Tensor] = lambda inputs: inputs,
    clip: float | None = None,
    products: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> float:
    """One pass over the inputs, or ``count`` of them, in a random order; the mean loss."""
    inputs, labels = data
    total, order = 0.0, torch.randperm(len(labels))[:count]
    for rows in order.split(batch):
        with products():
            outputs = model(augmented(inputs[rows]))
        loss = functional.cross_entropy(outputs.float(), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        total += loss.item() * len(rows)
    return total / len(order)


def adamw(
    model: nn.Module, steps: int, *, peak: float, least: float, decay: float, warm_up: int
) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW with decay of matrices alone; the rate rises for ``warm_up`` steps and falls along a cosine."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}], lr=peak
    )
    share = least / peak

    def rate(step: int) -> float:
        fallen = share + (1 - share) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))
        return min((step + 1) / warm_up, fallen)

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


def train_in_pieces(
    path: Path,
    model: nn.Module,
    optimizer: Any,
    schedule: Any,
    epoch: Callable[[], float],
    lengths: tuple[int, int],
    seconds: float,
) -> int:
    """Run whole epochs from the state in ``path`` while the seconds last; return how many are done in all.

    ``epoch`` runs one and returns its loss; ``lengths`` are the number of epochs and the steps in each.
    """
    done, (epochs, steps) = 0, lengths
    if path.exists():
        state = torch.load(path, weights_only=True)
        done = state["epoch"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.last_epoch = done * steps  # the optimizer's state has the rate
        torch.set_rng_state(state["rng"])
    path.parent.mkdir(parents=True, exist_ok=True)
    started, longest = time.perf_counter(), 0.0
    while done < epochs and time.perf_counter() - started + longest < seconds:
        began = time.perf_counter()
        loss = epoch()
        done += 1
        longest = max(longest, time.perf_counter() - began)
        report = f"{path.stem} epoch {done}/{epochs} loss {loss:.5f} {time.perf_counter() - began:.1f} s"
        print(report, file=sys.stderr, flush=True)
        state = {"epoch": done, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        unfinished = path.with_suffix(".tmp")
        torch.save({**state, "rng": torch.get_rng_state()}, unfinished)
        unfinished.replace(path)
    return done


def trained_so_far(path: Path, program: str) -> tuple[dict[str, Tensor], int]:
    """The parameters of a network and its epochs; ends the program where it is not trained at all."""
    if not path.exists():
        raise SystemExit(f"{path.stem} is not trained yet: run benchmarks/networks/{program}")
    state = torch.load(path, weights_only=True)
    return dict(state["model"]), state["epoch"]


def fast_products() -> AbstractContextManager[Any]:
    """bfloat16 where the processor multiplies it."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())


def products_name() -> str:
    """The kind of numbers that `fast_products` multiplies."""
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"


def batches(images: cifar.Images, size: int = 100) -> Iterator[Tensor]:
    """Yield the normalised images in batches, in the memory format that convolutions are fastest in on a CPU."""
    for start in range(0, len(images.labels), size):
        batch = torch.from_numpy(cifar.normalised(images.pixels[start : start + size]))
        yield batch.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def logits_of(model: nn.Module, images: cifar.Images) -> Tensor:
    """Return the outputs in float32; products are bfloat16 where the processor multiplies it."""
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with fast_products():
        return torch.cat([model(batch) for batch in batches(images)]).float()


def evaluate(model: nn.Module, images: cifar.Images) -> dict[str, float]:
    """Return the mean cross-entropy (nats) and the accuracy; see `logits_of`."""
    return _measured(logits_of(model, images), images.labels)


@torch.inference_mode()
def evaluate_rows(model: nn.Module, images: Any, size: int = 2000) -> dict[str, float]:
    """Return the mean cross-entropy (nats) and the accuracy on MNIST's images, which are rows."""
    return _measured(
        torch.cat([model(part) for part in torch.from_numpy(images.inputs).split(size)]), images.labels
    )


def _measured(logits: Tensor, classes: Any) -> dict[str, float]:
    labels = torch.from_numpy(classes.astype("int64"))
    loss = functional.cross_entropy(logits.double(), labels).item()
    return {"loss": loss, "accuracy": (logits.argmax(1) == labels).double().mean().item()}
