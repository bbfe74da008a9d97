"""Character-level GPTs on TinyShakespeare, trained from a seed and kept at every part of the steps.

Run as a program it trains for a number of seconds and resumes at the next call, until all steps are done::

    REBASIN_FAST_DATA=... python benchmarks/networks/character_gpt.py --layers 4 --width 128 --seed 0

Pre-norm blocks with LayerNorm, GELU and learnt positions; AdamW, a linear warm-up and a cosine. 3,000 steps of 32
sequences of 64 characters take about 20 minutes on one core for 4 layers of 128, and 2 for 2 layers of 64. ``--mixed``
multiplies matrices in bfloat16 while training, for processors that have instructions for it (AMX): 14 minutes for 6
layers of 256, half of those in float32.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import training
from networks.storage import DEFAULT_CACHE, data_folder

BATCH, CONTEXT = 32, 64
PEAK_RATE, LEAST_RATE, DECAY, CLIP = 1e-3, 1e-4, 0.1, 1.0
WARM_UP = 100  # steps
PARTS = 10  # of the steps, after each of which the state is kept
HELD_OUT = 0.1  # of the text


class Block(nn.Module):
    """Attention and a perceptron, each on a normalised copy of the stream."""

    def __init__(self, width: int, heads: int, *, causal: bool = True) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """The stream after attention and perceptron."""
        batch, length, width = x.shape
        normed = self.norm1(x)
        q, k, v = (
            part(normed).view(batch, length, self.heads, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


def small_first_weights(model: nn.Module, layers: int) -> None:
    """Normal matrices; those that write into the stream are smaller the more of them there are."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            scale = 0.02 / math.sqrt(2 * layers) if name.endswith(("out.weight", "down.weight")) else 0.02
            nn.init.normal_(parameter, std=scale)


class CharacterGPT(nn.Module):
    """Logits of the next character."""

    def __init__(self, characters: int, layers: int, width: int, heads: int, *, tied: bool) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(characters, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters, bias=not tied)
        small_first_weights(self, layers)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the character after each."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.blocks(self.embed(tokens) + self.position(positions))
        logits: Tensor = self.head(self.norm(x))
        return logits


@dataclass(frozen=True)
class Recipe:
    """One network: its size, the seed and the number of steps."""

    layers: int = 4
    width: int = 128
    heads: int = 4
    tied: bool = False
    seed: int = 0
    steps: int = 3_000
    mixed: bool = False

    @property
    def name(self) -> str:
        """Of its files."""
        kind = ("_tied" if self.tied else "") + ("_mixed" if self.mixed else "")
        return f"shakespeare_gpt{self.layers}x{self.width}{kind}_{self.steps}steps_seed{self.seed}"

    def build(self) -> CharacterGPT:
        """The network with its first weights."""
        torch.manual_seed(self.seed)
        characters, _, _ = text()
        return CharacterGPT(len(characters), self.layers, self.width, self.heads, tied=self.tied)

    def path(self, cache: Path) -> Path:
        """File of the state that training goes on from."""
        return cache / f"{self.name}.pt"

    def trained(self, cache: Path = DEFAULT_CACHE) -> dict[str, Tensor]:
        """Parameters after all steps; ends the program where it was not trained so far."""
        params, done = training.trained_so_far(self.path(cache), self.command())
        if done < PARTS:
            raise SystemExit(f"{self.name} is not trained yet: {self.command()}")
        return params

    def is_trained(self, cache: Path) -> bool:
        """Whether all steps are done."""
        path = self.path(cache)
        return path.exists() and training.trained_so_far(path, self.command())[1] == PARTS

    def command(self) -> str:
        """The command that trains it."""
        options = f"--layers {self.layers} --width {self.width} --heads {self.heads} --seed {self.seed} "
        flags = (" --tied" if self.tied else "") + (" --mixed" if self.mixed else "")
        return f"python benchmarks/networks/character_gpt.py {options}--steps {self.steps}{flags}"


def text() -> tuple[str, Tensor, Tensor]:
    """The alphabet, and the numbers of the characters to learn and to test on."""
    content = (data_folder() / "tinyshakespeare.txt").read_text(encoding="utf-8")
    characters = "".join(sorted(set(content)))
    numbers = torch.tensor(np.searchsorted(list(characters), list(content)))
    cut = round(len(numbers) * (1 - HELD_OUT))
    return characters, numbers[:cut], numbers[cut:]


def sequences(numbers: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Characters and those that follow them, from each start."""
    rows = starts[:, None] + torch.arange(CONTEXT)
    return numbers[rows], numbers[rows + 1]


def test_sequences(count: int) -> tuple[Tensor, Tensor]:
    """Sequences of the held-out text, evenly spread."""
    _, _, numbers = text()
    return sequences(numbers, torch.linspace(0, len(numbers) - CONTEXT - 1, count).long())


def next_character_loss(logits: Tensor, following: Tensor) -> Tensor:
    """Mean cross-entropy, in nats a character."""
    return functional.cross_entropy(logits.flatten(0, 1), following.flatten())


@contextmanager
def precision(*, mixed: bool) -> Iterator[None]:
    """Products in bfloat16, attention's too: at this length they are faster than the fused kernel."""
    if not mixed:
        yield
        return
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        yield


def train(recipe: Recipe, seconds: float, cache: Path = DEFAULT_CACHE) -> int:
    """Train whole parts until the seconds are used up; the number of parts done in all."""
    _, numbers, _ = text()
    model = recipe.build()
    each = -(-recipe.steps // PARTS)
    optimizer, schedule = training.adamw(
        model, each * PARTS, peak=PEAK_RATE, least=LEAST_RATE, decay=DECAY, warm_up=WARM_UP
    )

    def part() -> float:
        total = 0.0
        for _ in range(each):
            batch, following = sequences(numbers, torch.randint(len(numbers) - CONTEXT - 1, (BATCH,)))
            optimizer.zero_grad()
            with precision(mixed=recipe.mixed):
                logits = model(batch)
            loss = next_character_loss(logits.float(), following)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        return total / each

    return training.train_in_pieces(
        recipe.path(cache), model, optimizer, schedule, part, (PARTS, each), seconds
    )


def main() -> None:
    parser = command_line(__doc__, "--cache", "--seconds", "--threads")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--tied", action="store_true", help="the head shares the embedding")
    parser.add_argument("--mixed", action="store_true", help="products of the training in bfloat16")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = Recipe(
        options.layers, options.width, options.heads, options.tied, options.seed, options.steps, options.mixed
    )
    done = train(recipe, options.seconds, options.cache)
    if done < PARTS:
        print(f"{done} of {PARTS} parts done; run again to go on")
        return
    model = training.loaded(recipe.build(), recipe.trained(options.cache))
    tokens, following = test_sequences(500)
    with torch.no_grad():
        print(
            f"{recipe}: test loss {float(next_character_loss(model(tokens), following)):.4f} nats a character"
        )


if __name__ == "__main__":
    main()
