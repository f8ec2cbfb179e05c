"""The tables of time and memory by the number of images, and the estimate for a night of frames."""

from __future__ import annotations

from statistics import median

from .store import markdown, stored

#: What the estimate is of: frames, machines, and frames of one run.
FRAMES, MACHINES, FRAMES_A_RUN = 10_000_000, 16, 1_000_000


def scale() -> str:
    """Seconds, frames per second and memory of each way by the number of frames, and what Ray costs beside workers."""
    held = stored("scale")
    lines = []
    for row in held["rows"]:
        memory = f"{row['peak_mb']:.0f}" + (f", merge {row['merge_mb']:.0f}" if "merge_mb" in row else "")
        lines.append(
            [
                f"{row['n_images']:,}",
                row["way"],
                f"{row['seconds']:.1f}",
                f"{row['n_images'] / row['seconds']:.0f}",
                memory,
            ]
        )
    head = ["frames", f"way ({held['workers']} processors)", "seconds", "frames per second", "MB"]
    return markdown(head, lines) + "\n" + "".join(f"- {line}\n" for line in _ray_beside_workers())


def _ray_beside_workers() -> list[str]:
    seconds = {(row["n_images"], row["way"]): row["seconds"] for row in stored("scale")["rows"]}
    out = []
    for n in dict.fromkeys(n for n, _ in seconds):
        for way in ("Ray", "Ray, started for it"):
            if (n, way) in seconds:
                more = seconds[n, way] - seconds[n, "workers"]
                share = more / seconds[n, "workers"]
                out.append(f"{n:,} frames, {way}: {more:+.1f} s beside workers, {share:+.0%}.")
    return out


def scale_ray() -> str:
    """Workers and Ray in turn on frames of a camera's size: seconds of each pair, and the median of their ratios."""
    held = stored("scale_ray")
    workers, with_ray = ([row["seconds"] for row in held["rows"] if row["way"] == way] for way in ("workers", "Ray"))
    pairs = list(zip(workers, with_ray, strict=True))
    said = ", ".join(f"{one:.1f} and {other:.1f} s" for one, other in pairs)
    more = median(other / one for one, other in pairs) - 1
    rows, columns = held["shape"]
    return (
        f"{held['rows'][0]['n_images']:,} frames of {columns} x {rows} pixels, {held['workers']} workers, in turn with "
        f"Ray on a cluster that runs: {said}; {more:+.0%} in the median.\n"
    )


def scale_plan() -> str:
    """What each shard of a long list takes before its first image, and while it works."""
    rows = stored("scale_plan")["rows"]
    lines = [[f"{row['n_images']:,}", f"{row['seconds']:.1f}", f"{row['peak_mb']:.0f}"] for row in rows]
    return markdown(["frames in the list", "seconds, with a thousandth of the frames", "MB"], lines)


def scale_estimate() -> str:
    """What ten million such frames would take, from the largest size that was measured."""
    held = stored("scale")
    shards = [row for row in held["rows"] if row["way"] == "shards"]
    small, large = shards[0], shards[-1]
    speed = large["n_images"] / large["seconds"]
    minutes = FRAMES / MACHINES / speed / 60
    merge_s = FRAMES * large["merge_s"] / large["n_images"]
    merge_slope = (large["merge_mb"] - small["merge_mb"]) / (large["n_images"] - small["n_images"])
    merge_gb = (small["merge_mb"] + merge_slope * (FRAMES_A_RUN - small["n_images"])) / 1000
    return (
        f"- {FRAMES:,} frames on {MACHINES} machines: {minutes:.0f} minutes, at {speed:.0f} frames "
        f"per second and machine, and {merge_s / 60:.0f} minutes for `merge` on one of them.\n"
        f"- `merge` takes {1000 * merge_slope:.2f} kB of memory per frame: {merge_gb:.1f} GB at {FRAMES_A_RUN:,} "
        "frames per run.\n"
    )


TABLES = (scale, scale_ray, scale_plan, scale_estimate)
