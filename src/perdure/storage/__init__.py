"""Where files lie: a plug-in point. Built in is a folder; object stores can come."""
