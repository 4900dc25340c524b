"""Programs and servers: what `tandem up` runs, and the Prefect server it runs on."""
