"""The pictures: seconds above the floor by the number of names, and how an order grows.

Each in English and in Chinese, by day and by night.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.cases import FAR, LOSSES, RTTS, USUAL, Case
from benchmarks.contenders import CONTENDERS, OURS, PEERS

if TYPE_CHECKING:
    from benchmarks.report import Runs

mpl.use("svg")
# Without these, each drawing of the same figures would be another file.
mpl.rcParams.update({"svg.hashsalt": "certbot-dns-aliyun", "svg.fonttype": "none"})
mpl.rcParams.update({"font.family": "sans-serif", "font.size": 9, "axes.spines.top": False})
mpl.rcParams.update({"axes.spines.right": False, "axes.grid": True})
mpl.rcParams.update({"grid.color": "black", "grid.alpha": 0.15})
mpl.rcParams.update({"figure.facecolor": "none", "axes.facecolor": "none"})

# These can be told from a white ground, and from a black one.
_OURS = "#d9463b"
_GREYS = dict(zip(PEERS, ("#2f7fc1", "#9a6fd0", "#7f8c8d", "#3f9a63")))
_MARKERS = dict(zip([OURS, *PEERS], "os^vD"))
_ZONES = {1: "#d9463b", 10: "#2f7fc1", 100: "#3f9a63"}
_WORST = [case for case in FAR if (case.rtt, case.lost) == (RTTS[-1], LOSSES[-1])]


def draw_speed(runs: Runs, file: Path) -> None:
    """Draw the seconds above the floor, by the number of names."""
    figure, axes = pyplot.subplots(figsize=(7.2, 4.2), layout="constrained")
    for name in PEERS:
        _line(axes, runs, name, USUAL, color=_GREYS[name], linewidth=1.2)
    _line(axes, runs, OURS, _WORST, label=f" ({_WORST[0].distance})", color=_OURS, ls=":")
    _line(axes, runs, OURS, USUAL, color=_OURS, linewidth=2.2)
    lag = USUAL[0].lag
    axes.axhline(lag, color="black", linewidth=0.8, linestyle="--")
    axes.annotate(f"slowest name server: {lag:g} s", (100, lag), (0, -11), ha="right", **_SMALL)
    _log(axes)
    axes.set(xlabel="names in the certificate", ylim=(1, None))
    title = f"Seconds above a plugin that does nothing; name servers {USUAL[0].distance}"
    axes.set_title(title, loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    _save(figure, file)


_SMALL: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8}


def _line(
    axes: Axes, runs: Runs, name: str, cases: list[Case], label: str = "", **style: Any
) -> None:
    points = [(case.names, runs.above_floor(name, case)) for case in cases]
    known = [(names, seconds) for names, seconds in points if seconds is not None]
    if known:
        label = f"{name} {CONTENDERS[name].pinned}".strip() + label
        axes.plot(*zip(*known), marker=_MARKERS[name], markersize=4, label=label, **style)


def draw_growth(orders: list[dict[str, Any]], file: Path) -> None:
    """Draw time, calls, memory and DNS questions of orders by their number of names."""
    figure, grid = pyplot.subplots(2, 2, figsize=(7.2, 5.2), layout="constrained")
    panels = {
        "seconds, start of Python included": "seconds",
        "API calls": "calls",
        "peak memory, MiB": "memory",
        "DNS questions in the busiest second": "busiest_second_of_questions",
    }
    for axes, (title, figure_of) in zip(grid.flat, panels.items()):
        for zones, color in _ZONES.items():
            points = sorted(
                (order["case"]["names"], order[figure_of])
                for order in orders
                if order["case"]["zones"] == zones
                and not order["rate"]
                and not order["case"]["throttled"]
            )
            if points:
                label = f"{zones} zone" + "s" * (zones > 1)
                axes.plot(*zip(*points), marker="o", markersize=4, color=color, label=label)
        _log(axes)
        if figure_of == "memory":
            axes.set(yscale="linear", ylim=(0, None))
        axes.set_title(title, loc="left", fontsize=9)
    grid[0][0].legend(frameon=False, fontsize=8)
    for axes in grid[1]:
        axes.set_xlabel("names")
    _save(figure, file)


def _log(axes: Axes) -> None:
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        axis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))


def _save(figure: Any, file: Path) -> None:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    write_drawing(drawn.getvalue(), file)


_STYLE = (
    "<style>.drawing { color: #111 }"
    " @media (prefers-color-scheme: dark) { .drawing { color: #eee } }</style>"
)
#: The words in the pictures, and in their place; figures stay.
_CHINESE = {
    "Seconds above a plugin that does nothing": "比什么都不做的插件多用的秒数",
    "; name servers ": "；到 DNS 服务器",
    r"([\d.]+) ms away, ([\d.]+) % lost": r"往返 \1 毫秒，丢包 \2 %",
    r"slowest name server: ([\d.]+) s": r"最慢的 DNS 服务器：\1 秒",
    "names in the certificate": "证书中的名称数",
    "seconds, start of Python included": "秒数，含 Python 的启动",
    "API calls": "API 调用次数",
    "peak memory, MiB": "内存峰值，MiB",
    "DNS questions in the busiest second": "最忙的一秒内的 DNS 查询数",
    r"(\d+) zones?": r"\1 个域名",
    "names$": "名称数",
}


def write_drawing(svg: str, file: Path) -> None:
    """Write a picture in both languages, to be shown as a file, or held by a page.

    :param svg: what matplotlib drew
    """
    svg = re.sub("<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # The page has ids of its own, and another picture.
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = svg.replace("#000000", "currentColor").replace(
        '<style type="text/css">*{', "<style>.drawing *{"
    )
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{file.stem}-", svg)
    svg = re.sub("font-family: [^;]*;", "font-family: sans-serif;", svg)
    head = r'<svg class="drawing" fill="currentColor" \1' + "\n" + _STYLE
    svg = re.sub("<svg ([^>]*>)", head, svg, count=1)
    svg = re.sub(" +$", "", svg, flags=re.MULTILINE)
    file.write_text(svg, encoding="utf-8")
    chinese = re.sub("(<text [^>]*>)([^<]*)", lambda found: found[1] + _in_chinese(found[2]), svg)
    file.with_suffix(".zh_CN.svg").write_text(chinese, encoding="utf-8")


def _in_chinese(text: str) -> str:
    for words, chinese in _CHINESE.items():
        text = re.sub(words, chinese, text)
    return text
