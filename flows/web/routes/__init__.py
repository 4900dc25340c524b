"""The addresses of the web app: one file for each thing a visitor may want."""
