"""A brief on a terminal: the same words as in the e-mail, as wide as the window. Names are text, never markup."""

from collections.abc import Iterable, Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from accounts.briefs import LABELS, AccountBrief, Brief, Seat, SeatState, Statement
from accounts.briefs.material import Evidence

#: Besides its mark each state has a style; without colours the mark and the words remain.
STYLES = {
    SeatState.WARM: "bold dark_orange3",
    SeatState.SILENT: "bright_black",
    SeatState.NEW: "default",
    SeatState.OUT: "dim",
    SeatState.MISSING: "bold red",
}
#: What the days to come are told by.
ASSUMED = "each person's next mail, if nobody reacts and nothing changes"
_LABEL_WIDTH = max(map(len, LABELS.values()))


def show_brief(console: Console, brief: Brief, *, with_evidence: bool = False) -> None:
    """Prints it; with the ids of the rows that prove each statement when asked for."""
    console.print(Text(f"Brief for {brief.rep_name}", style="bold"))
    console.print(Text(f"{brief.as_of_text} ({brief.zone}). News since {brief.since_text}.", style="bright_black"))
    if brief.note:
        console.print(_line(brief.note, with_evidence, "yellow"))
    for account in brief.accounts:
        console.print()
        console.print(_account(account, with_evidence))
    if brief.also:
        console.print()
        console.print(Text("Also new", style="bold"))
        for line in brief.also:
            console.print(Padding(_line(line, with_evidence), (0, 0, 0, 2)))
    console.print()
    console.print(Text(f"{LABELS['planned']}: {ASSUMED}.", style="bright_black"))
    console.print()
    console.print(Text("How to answer", style="bold"))
    for command, does in brief.answers:
        console.print(Padding(Text(command, style="cyan"), (0, 0, 0, 2)), soft_wrap=True)
        console.print(Padding(Text(does, style="bright_black"), (0, 0, 0, 6)))


def _account(account: AccountBrief, with_evidence: bool) -> Panel:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=_LABEL_WIDTH, style="bright_black", no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for part, cells in _parts(account, with_evidence):
        if shown := list(cells):
            grid.add_row(LABELS[part], Group(*shown))
    title = Text.assemble((account.title, "bold"), f" ({account.handle}) {account.stage}: {account.why}")
    return Panel(
        Group(*(_line(one, with_evidence) for one in (account.headline, account.absence) if one), grid),
        title=title,
        title_align="left",
        border_style="red" if account.is_late else "blue",
    )


def _parts(account: AccountBrief, with_evidence: bool) -> Iterator[tuple[str, Iterable[RenderableType]]]:
    """The labelled parts in the order of reading."""

    def lines(*statements: Statement | None, style: str = "") -> list[RenderableType]:
        return [_line(statement, with_evidence, style) for statement in statements if statement]

    planned = [
        _proved(
            Text.assemble((mail.when, "bright_black"), "  ", mail.what, "\n  ", (mail.veto, "cyan")),
            mail.evidence,
            with_evidence,
        )
        for mail in account.planned
    ]
    asset = account.asset
    yield "clock", lines(account.clock, style="bold red" if account.is_late else "bold yellow")
    yield "news", lines(*account.news, account.more_news)
    yield "because", lines(*account.because)
    yield "step", lines(account.step, style="bold")
    yield "objections", [_proved(Text(one.text), one.evidence, with_evidence) for one in account.objections]
    yield "group", [*(_seat(seat, with_evidence) for seat in account.group), *lines(account.more_seats)]
    if account.question:
        yield "question", [_proved(Text(account.question.text), account.question.evidence, with_evidence)]
    yield "contact", lines(account.contact)
    yield "sent", lines(account.sent)
    yield "planned", [*planned, *lines(account.more_planned)]
    if asset:
        shared = "\n".join(filter(None, (asset.title, asset.talking_point, asset.url)))
        yield "asset", [_proved(Text(shared), asset.evidence, with_evidence)]


def _seat(seat: Seat, with_evidence: bool) -> Text:
    is_empty = seat.state == SeatState.MISSING
    said = f"{seat.role}: {seat.name}" if is_empty else f"{seat.name}, {seat.role}: {seat.note}"
    return _proved(Text(f"{seat.mark} {said}", style=STYLES[seat.state]), seat.evidence, with_evidence)


def _line(statement: Statement, with_evidence: bool, style: str = "") -> Text:
    return _proved(Text(statement.text, style=style), statement.evidence, with_evidence)


def _proved(text: Text, evidence: Evidence, with_evidence: bool) -> Text:
    return text.append(f" [{' '.join(evidence)}]", style="not bold bright_black") if with_evidence else text
