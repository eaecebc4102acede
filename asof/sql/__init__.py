"""Pure functions from the manifest to SQL: one question per file, rendered per engine by ``dialects``.

Importing this package costs nothing; its modules import sqlglot, except ``binding``, which is standard library only.
"""
