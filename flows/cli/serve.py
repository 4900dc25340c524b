"""`tandem serve`: the web app behind the links in our mails."""

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8088, show_default=True, type=click.IntRange(0, 65535))
@click.option("--play", default="new-business", show_default=True, help="Whose vendor the pages name.")
def serve(host: str, port: int, play: str) -> None:
    """The web app: tracked links and one-click unsubscribe. Put it behind a proxy that speaks HTTPS.

    The proxy's address for it is the setting base_url. Stop it with Ctrl-C.

    Example: tandem serve --port 8088
    """
    import uvicorn

    from flows.house import open_house
    from flows.web.app import create_app

    with open_house(play) as here:
        app = create_app(here.engine, here.settings, here.play.vendor)
        click.echo(f"listening on http://{host}:{port}, known to recipients as {here.settings.base_url}")
        # tokens stand in paths, so there is no access log
        uvicorn.run(app, host=host, port=port, access_log=False, server_header=False, log_level="warning")
