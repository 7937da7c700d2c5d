"""The result of a check as one HTML page that needs no other file and no network."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from checking.check import Checked, CheckedPerson
from checking.moments import Moment, data_uri
from checking.verdict import Verdict

_HERE = Path(__file__).parent
_WIDTH, _HEIGHT, _MARGIN = 1000.0, 180.0, 14.0


@dataclass(frozen=True)
class Facts:
    """How the file was checked.

    Attributes:
        detector: Name of the detector's run.
        package: SHA-256 of the package's card.
        domain: The data that the detector was trained on.
        sampling: The options that chose the frames.
        calibration: How many of one's own real videos the scores are compared with; 0 for none.
        medians: Of the scores of frames of known real videos, and of known forgeries.
    """

    detector: str
    package: str
    domain: str
    sampling: str
    calibration: int
    medians: tuple[float, float]


def render_page(checked: Checked, facts: Facts) -> str:
    """Return the page."""
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(checked.path.name),
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=(_HERE / "page.js").read_text(encoding="utf-8"),
        verdict=_verdict(checked.verdict, "h1"),
        remarks=_list([*checked.verdict.explanation, *checked.remarks]),
        people="".join(_person(person, checked, facts) for person in checked.people),
        facts=_facts(checked, facts),
    )


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, e.g. "1:02.50", with hours where there are any."""
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"


def _verdict(verdict: Verdict, tag: str) -> str:
    """Return the verdict with a symbol of its own, so that no colour is needed to read it."""
    kind, symbol = {
        None: ("none", "&#x25CB;"),
        True: ("forged", "&#x25B2;"),
        False: ("real", "&#x25BC;"),
    }[verdict.is_forged]
    line = escape(verdict.line[0].upper() + verdict.line[1:])
    mark = f'<span class="mark" aria-hidden="true">{symbol}</span>'
    return f'<{tag} class="verdict {kind}">{mark}{line}</{tag}>'


def _list(lines: list[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _person(person: CheckedPerson, checked: Checked, facts: Facts) -> str:
    heading, own = "<h2>The person</h2>", ""
    if len(checked.people) > 1:
        heading = f"<h2>Person {person.number}</h2>"
        own = _verdict(person.verdict, "p") + _list(person.verdict.explanation)
    seen = (
        f"<p>Seen in {len(person.seconds)} of {checked.frames} sampled frames, "
        f"{clock(person.seconds[0])} to {clock(person.seconds[-1])}, "
        f"face {person.side:.0f} px.</p>"
    )
    if checked.is_image:
        seen = f"<p>Face {person.side:.0f} px.</p>"
    is_scored = person.score is not None
    parts = [heading, own, seen]
    if is_scored and len(person.seconds) > 1:
        parts.append(_timeline(person, checked, facts.medians))
    if person.moments:
        title = "Highest scores" if is_scored else "The face"
        shown = person.moments if is_scored else person.moments[:1]
        parts.append(f"<h3>{title}</h3>")
        parts.append(f'<div class="moments">{"".join(_moment(m, is_scored) for m in shown)}</div>')
        if is_scored:
            parts.append(
                '<p class="soft">Right of each face: <span class="key forged"></span> regions that '
                'raise the score, <span class="key real"></span> regions that lower it.</p>'
            )
    return f'<section class="person">{"".join(parts)}</section>'


def _timeline(person: CheckedPerson, checked: Checked, medians: tuple[float, float]) -> str:
    """Draw the scores over time, with a slider for the keyboard and a table."""
    duration = max(checked.duration, person.seconds[-1], 1e-3)

    def across(seconds: float) -> float:
        return _MARGIN + (_WIDTH - 2 * _MARGIN) * seconds / duration

    def along(probability: float) -> float:
        return _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * probability

    times = list(zip(person.seconds, person.probabilities, strict=True))
    points = [(across(seconds), along(probability)) for seconds, probability in times]
    real, forged = medians
    scores = [("grid", 0), ("grid", 0.5), ("grid", 1), ("real", real), ("forged", forged)]
    levels = "".join(
        f'<line class="{kind}" x1="0" x2="{_WIDTH:.0f}" y1="{along(y):.1f}" y2="{along(y):.1f}"/>'
        for kind, y in scores
    )
    cuts = "".join(
        f'<line class="cut" x1="{across(s):.1f}" x2="{across(s):.1f}" y1="0" y2="{_HEIGHT:.0f}"/>'
        for s in checked.cuts
    )
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    # A line without length is a round dot, however the picture is stretched.
    dots = "".join(
        f'<path class="dot" data-x="{x:.1f}" d="M{x:.1f},{y:.1f}h0"/>' for x, y in points
    )
    rows = "".join(
        f"<tr><td>{clock(seconds)}</td><td>{probability:.3f}</td>"
        f"<td>{'after a cut' if seconds in checked.cuts else ''}</td></tr>"
        for seconds, probability in times
    )
    last, whom = len(times) - 1, f"person {person.number}"
    cuts_note = " Dashed: cuts." if checked.cuts else ""
    return f"""<div class="timeline" data-timeline>
<figure>
<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" preserveAspectRatio="none" aria-hidden="true">
{levels}{cuts}<polyline points="{path}"/>{dots}
<line class="cursor" x1="0" x2="0" y1="0" y2="{_HEIGHT:.0f}"/></svg>
<div class="ends"><span>0:00</span><span>{clock(duration)}</span></div>
<input type="range" min="0" max="{last}" value="0" aria-label="Time, {whom}">
<output aria-live="polite"></output>
<figcaption class="soft">Score of each sampled frame, 0 at the bottom and 1 at the top; it is no
probability. Lines: medians of <span class="key real"></span> known real videos, {real:.3f},
and <span class="key forged"></span> known forgeries, {forged:.3f}.{cuts_note}</figcaption>
</figure>
<div class="scroll" tabindex="0" role="region" aria-label="Scores over time, {whom}">
<table><thead><tr><th scope="col">Time</th><th scope="col">Score</th><th scope="col">Note</th></tr>
</thead><tbody>{rows}</tbody></table></div></div>"""


def _moment(moment: Moment, is_scored: bool) -> str:
    time = clock(moment.seconds)
    images = f'<img src="{data_uri(moment.picture)}" width="160" height="160" alt="Face at {time}">'
    if not is_scored:
        return f"<figure>{images}<figcaption>{time}</figcaption></figure>"
    images += (
        f'<img src="{data_uri(moment.evidence)}" width="160" height="160" '
        f'alt="Regions that raise or lower the score at {time}">'
    )
    caption = f"{time}, score {moment.probability:.3f}"
    return f'<figure class="pair">{images}<figcaption>{caption}</figcaption></figure>'


def _facts(checked: Checked, facts: Facts) -> str:
    compared = (
        f"validation videos and {facts.calibration} real videos of your own"
        if facts.calibration
        else "validation videos"
    )
    rows = {
        "File": checked.path.name,
        "Kind": "image" if checked.is_image else f"video, {clock(checked.duration)}",
        "Sampled": f"{checked.frames} frames ({facts.sampling}), "
        f"{checked.without_face} of them without a face",
        "Cuts": ", ".join(map(clock, checked.cuts)) or "none found",
        "Detector": f"{facts.detector}, package {facts.package[:12]}",
        "Trained on": facts.domain,
        "Compared with": compared,
    }
    return "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
