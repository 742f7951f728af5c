"""The gate, the bundle, the report page and the storage of releases."""
