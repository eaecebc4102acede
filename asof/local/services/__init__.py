"""What moto's services lack to be a running system.

Functions that run, state machines that wait for queries, schedules that fire, alarms that evaluate, HTTP APIs that
answer, and a clock that can be moved. Each adapter is a file (or a few) of its own; ``asof.local.server`` puts them
together behind one port.
"""
