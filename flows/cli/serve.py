"""`tandem serve`: the web app behind the links in our mails."""

from datetime import datetime

import click

from flows.cli.door import as_of


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8088, show_default=True, type=click.IntRange(0, 65535))
@click.option("--play", default="new-business", show_default=True, help="Whose vendor the pages name.")
@as_of
def serve(host: str, port: int, play: str, as_of: datetime | None) -> None:
    """The web app: tracked links, one-click unsubscribe, preferences. Put it behind a proxy that speaks HTTPS.

    The proxy's address for it is the setting base_url. Stop it with Ctrl-C. With --as-of time goes on from there, so
    that the links of a demo of last month still open.

    Example: tandem serve --port 8088
    """
    import uvicorn

    from flows.clock import clock, running
    from flows.house import open_house
    from flows.web.app import create_app
    from flows.web.desk import utc_now
    from flows.web.places import Places
    from flows.web.serving import config_of, listen, make_room, settle

    with open_house(play) as here, listen(host, port) as door:
        time = running(clock(as_of)) if as_of else utc_now
        app = create_app(here.engine, here.settings, here.play, time)
        places = Places(make_room(here.settings.web.connections))
        click.echo(
            f"listening on http://{host}:{door.getsockname()[1]}, known to recipients as {here.settings.base_url}"
        )
        proxies = here.settings.web.proxies
        settle()
        uvicorn.Server(config_of(app, places, forwarded_allow_ips=proxies)).run(sockets=[door])
