"""Shows results in a notebook: plain HTML with inline styles, for light and dark backgrounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_TABLE = "border-collapse:collapse;font-size:13px;margin:.4em 0"
_CELL = "padding:3px 10px;border-bottom:1px solid rgba(128,128,128,.25);text-align:"
_COLOURS = {
    "champion": "#b8860b",
    "beta": "#2f6fb3",
    "development": "#6b7280",
    "archived": "#9aa0a6",
}


def text(value: Any) -> str:
    """Formats a value for people."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if abs(value) >= 1 and value == int(value):
            return f"{value:,.0f}"
        return f"{value:,.4f}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str) and len(value) >= 19 and value[4:5] == "-" and value[10:11] == "T":
        return value[:16].replace("T", " ")
    if isinstance(value, (list, tuple)):
        return ", ".join(text(item) for item in value) or "–"
    return str(value)


def badge(stage: str | None) -> str:
    """A stage as a coloured label."""
    if not stage:
        return "–"
    colour = _COLOURS.get(stage, "#6b7280")
    return (
        f'<span style="background:{colour};color:#fff;border-radius:9px;padding:1px 8px;'
        f'font-size:12px">{escape(stage)}</span>'
    )


def _cell(tag: str, content: str, *, right: bool) -> str:
    return f'<{tag} style="{_CELL}{"right" if right else "left"}">{content}</{tag}>'


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def table(
    title: str, columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]]
) -> str:
    """A table of the given columns (key, heading)."""
    numeric = {key: any(_is_number(row.get(key)) for row in rows) for key, _ in columns}
    head = "".join(_cell("th", escape(name), right=numeric[key]) for key, name in columns)
    body = ""
    for row in rows:
        cells = ""
        for key, _ in columns:
            value = row.get(key)
            shown = badge(value) if key == "promotion_stage" else escape(text(value))
            cells += _cell("td", shown, right=numeric[key])
        body += f"<tr>{cells}</tr>"
    if not rows:
        return f"<div><b>{escape(title)}</b>: none</div>"
    return (
        f'<div><b>{escape(title)}</b><table style="{_TABLE}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts(title: str, flat: Mapping[str, Any]) -> str:
    """A table with one line per field."""
    rows = [
        f"<tr>{_cell('td', escape(key), right=False)}{_cell('td', escape(text(value)), right=False)}</tr>"
        for key, value in flat.items()
        if not isinstance(value, (list, tuple)) or len(value) < 8
    ]
    return (
        f'<div><b>{escape(title)}</b><table style="{_TABLE}"><tbody>{"".join(rows)}'
        "</tbody></table></div>"
    )


def trees(roots: Sequence[Mapping[str, Any]]) -> str:
    """Trees of parents and children."""
    if not roots:
        return "<div>no registered models</div>"
    items = "".join(_member(root, is_root=True) for root in roots)
    return f'<div style="font-size:13px"><b>lineage</b>{items}</div>'


def _member(member: Mapping[str, Any], *, is_root: bool) -> str:
    parts = [
        f"<b>{escape(str(member['name']))}</b> version {member['version']}",
        escape(str(member.get("model_type") or "?")),
        escape(str(member.get("symbol") or "symbol unknown")),
    ]
    if (steps := member.get("total_timesteps")) is not None:
        parts.append(f"{steps:,} steps")
    if (improvement := member.get("improvement")) is not None:
        colour = "#b42318" if improvement.startswith("-") else "#1a7f37"
        parts.append(f'<span style="color:{colour}">test reward {escape(improvement)}</span>')
    honesty = member.get("honesty")
    if honesty == "contaminated":
        parts.append('<b style="color:#b42318">CONTAMINATED</b>')
    elif honesty != "clean":
        parts.append("honesty unknown")
    line = " · ".join(parts) + "&nbsp; " + badge(member.get("promotion_stage"))
    below = "".join(_member(child, is_root=False) for child in member["children"])
    branch = "" if is_root else "border-left:2px solid rgba(128,128,128,.45);margin-left:12px;"
    return f'<div style="{branch}padding:4px 0 0 12px">{line}{below}</div>'


def _percent(fraction: float | None) -> str | None:
    return None if fraction is None else f"{100 * fraction:.2f}%"


def board(
    store: str, models: Sequence[Mapping[str, Any]], running: Sequence[Mapping[str, Any]]
) -> str:
    """Registered models and their stages."""
    rows = []
    for model in models:
        champion = model.get("champion") or {}
        metrics = champion.get("metrics") or {}
        stages = model["stages"]
        rows.append(
            {
                "name": model["name"],
                "champion": f"version {champion['version']}" if champion else None,
                "symbol": model.get("symbol"),
                "return": _percent(metrics.get("portfolio/total_return")),
                "sharpe": metrics.get("portfolio/sharpe_ratio"),
                "drawdown": _percent(metrics.get("portfolio/max_drawdown")),
                "beta": stages.get("beta"),
                "development": stages.get("development"),
                "archived": stages.get("archived"),
            }
        )
    columns = [
        ("name", "model"),
        ("champion", "champion"),
        ("symbol", "symbol"),
        ("return", "test return"),
        ("sharpe", "Sharpe"),
        ("drawdown", "drawdown"),
        ("beta", "in beta"),
        ("development", "in development"),
        ("archived", "archived"),
    ]
    shown = table("board", columns, rows)
    for run in running:
        states = {"alive": "training", "dead": "abandoned"}
        state = states.get(str(run.get("liveness")), "RUNNING (unknown process)")
        shown += (
            f"<div>run {escape(str(run['run_id']))} · {escape(text(run.get('timeframe')))} "
            f"{escape(text(run.get('model_type')))} · {state} since {text(run.get('started_at'))}</div>"
        )
    return f'{shown}<div style="color:#6b7280;font-size:12px">{escape(store)}</div>'
