"""The web app: where links in our mails lead."""
