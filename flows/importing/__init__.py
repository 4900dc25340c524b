"""Importing: any CRM export into the ledger, through rules, with nothing lost. `import_paths` is the door."""

from flows.importing.answers import Imported, Retried
from flows.importing.loading import import_paths
from flows.importing.mapping import MappingFile, load_mapping
from flows.importing.retrying import retry_quarantine

__all__ = ["Imported", "MappingFile", "Retried", "import_paths", "load_mapping", "retry_quarantine"]
