"""Flights that left New York: a real data set, and the demo over it."""
