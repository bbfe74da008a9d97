"""Draw the objective against time, one line a run, of both programs."""

from pathlib import Path
from typing import Any

LOOP_COLOUR, NATIVE_COLOUR = "tab:orange", "tab:blue"


def draw(job: str, runs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw the rise of the objective as a share of the published loop's mean, on a logarithmic axis of seconds."""
    from matplotlib import pyplot as plt

    plt.switch_backend("Agg")
    from matplotlib.ticker import PercentFormatter

    records = [record for program in runs.values() for record in program if record.get("curve")]
    if not records:
        return
    loops = runs["published loop"] or records
    unit = sum(record["objective"] - record["first_objective"] for record in loops) / len(loops)
    figure, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for (program, program_runs), colour in zip(runs.items(), (LOOP_COLOUR, NATIVE_COLOUR), strict=True):
        for number, record in enumerate(each for each in program_runs if each.get("curve")):
            times = [seconds for seconds, _ in record["curve"][1:]]
            rises = [(value - record["first_objective"]) / unit for _, value in record["curve"][1:]]
            label = program if number == 0 else None
            axis.plot(times, rises, color=colour, marker=".", markersize=3, linewidth=1, label=label)
            axis.plot(times[-1], rises[-1], color=colour, marker="o", markersize=5)
    axis.axhline(1, color="grey", linewidth=0.6)
    axis.set_xscale("log")
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.set_xlabel("processor seconds")
    axis.set_ylabel("rise of the objective\n(100 %: the loop's end)")
    axis.set_title(f"{job}: objective against time, one line a seed", fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=110)
    plt.close(figure)
