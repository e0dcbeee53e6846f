#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws rows of `griffin_bench -o json` as an SVG: plot.py ROWS.json... > speed.svg

Left, every row as a share of what the machine allowed in that run; right, if there are files that
compare batches, tokens per second of decoding many sequences at once. Nothing but the standard library.
"""
import json
import math
import sys

COLOURS = {"f32": "#8c8c8c", "bf16": "#1b6ca8", "int8": "#d9822b", "int4": "#3a8f5c"}
WIDTH, LEFT, BAR, PANEL = 920, 172, 320, 580


def text(x, y, words, anchor="start", size=12, colour="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{colour}">{words}</text>')


def line(x1, y1, x2, y2, colour="#ccc", width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"/>')


def kind(row):
    return "prefill" if row["test"].startswith("pp") else "decode"


def shares(rows, top):
    """Bars from 0 to 100 % of the ceiling."""
    out = [text(LEFT, top - 26, "share of what the machine allows", size=14)]
    bottom = top + 22 * len(rows)
    for percent in range(0, 101, 25):
        x = LEFT + BAR * percent / 100
        out += [line(x, top - 6, x, bottom), text(x, top - 10, f"{percent} %", "middle", 10, "#777")]
    for i, row in enumerate(rows):
        y = top + 22 * i
        name = f'{kind(row)}, {row["dtype"]}, {row["threads"]} thread{"s" * (row["threads"] > 1)}'
        length = BAR * min(row["share"], 1.0)
        out += [
            text(LEFT - 8, y + 13, name, "end"),
            f'<rect x="{LEFT}" y="{y + 2}" width="{length:.1f}" height="16" '
            f'fill="{COLOURS[row["dtype"]]}"/>',
            text(LEFT + 6, y + 14, f'{row["median_ts"]:.3g} tokens/s', size=11, colour="#fff"),
            text(LEFT + length + 4, y + 14, f'{100 * row["share"]:.0f}', size=11),
        ]
    return out, bottom


def batches(rows, top, height):
    """Tokens per second against sequences, both on logarithmic scales."""
    left, right = PANEL + 60, WIDTH - 30
    counts = sorted({row["batch"] for row in rows})
    most = max(row["median_ts"] for row in rows)
    least = min(row["median_ts"] for row in rows)
    low = math.floor(math.log2(least))
    high = max(math.ceil(math.log2(most)), low + 1)
    x = lambda n: left + (right - left) * math.log2(n / counts[0]) / math.log2(counts[-1] / counts[0])
    y = lambda t: top + height * (high - math.log2(t)) / (high - low)
    out = [text(left - 40, top - 26, "decode, tokens/s, by sequences at once", size=14)]
    for power in range(low, high + 1):
        out += [line(left, y(2.0**power), right, y(2.0**power)),
                text(left - 6, y(2.0**power) + 4, f"{2 ** power}", "end", 10, "#777")]
    for n in counts:
        out.append(text(x(n), top + height + 16, str(n), "middle", 10, "#777"))
    for dtype in sorted({row["dtype"] for row in rows}):
        mine = sorted((r for r in rows if r["dtype"] == dtype), key=lambda r: r["batch"])
        points = " ".join(f'{x(r["batch"]):.1f},{y(r["median_ts"]):.1f}' for r in mine)
        out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[dtype]}" '
                   'stroke-width="2"/>')
        for r in mine:
            out += [f'<circle cx="{x(r["batch"]):.1f}" cy="{y(r["median_ts"]):.1f}" r="3.5" '
                    f'fill="{COLOURS[dtype]}"/>',
                    text(x(r["batch"]), y(r["median_ts"]) - 8, f'{r["median_ts"]:.0f}', "middle", 11,
                         COLOURS[dtype])]
        out.append(text(x(mine[-1]["batch"]), y(mine[-1]["median_ts"]) + 18, dtype, "end", 12,
                        COLOURS[dtype]))
    return out


def main(paths):
    single, many = [], []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
        (single if len({row["batch"] for row in rows}) == 1 else many).extend(rows)
    single.sort(key=lambda r: kind(r) == "prefill")
    top = 60
    if not single and not many:
        sys.exit("plot.py: no rows of griffin_bench -o json in " + (" ".join(paths) or "no files"))
    body, bottom = shares(single, top)
    if many:
        bottom = max(bottom, top + 200)
        body += batches(many, top, bottom - top - 10)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 20}" '
          'font-family="sans-serif">')
    print(f'<rect width="{WIDTH}" height="{bottom + 20}" fill="#fff"/>')
    print("\n".join(body))
    print("</svg>")


if __name__ == "__main__":
    main(sys.argv[1:])
