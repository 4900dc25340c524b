"""What happens, and in which order: flows, channels, the web app and the command line."""
