"""`tandem status`: how it is going."""

import click

from flows.cli.door import as_json, clock, house, show_json


@click.command()
@as_json
def status(json_: bool) -> None:
    """How it is going: what came in, what waits, what runs next. Exit code 1 when something needs a person.

    Example: tandem status
    """
    from accounts.health import worst
    from flows.cli.house import show_line
    from flows.cli.run import find_server
    from flows.operating.prefect_api import PrefectApi
    from flows.operating.status import status as look

    with house() as (settings, engine):
        server = find_server(settings)
        signs = look(engine, settings, PrefectApi(server) if server else None, clock(None))
    if json_:
        show_json(
            [
                {"name": it.name, "state": it.state, "says": it.says, "cure": it.cure, "figures": it.figures}
                for it in signs
            ]
        )
    else:
        for it in signs:
            show_line(it.state, it.name, it.says, it.cure)
    if worst(signs) == "fail":
        raise SystemExit(1)
