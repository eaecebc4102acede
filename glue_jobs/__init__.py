"""PySpark entries for work too big for one Athena query. They decide nothing: asof does the work."""
