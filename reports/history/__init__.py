"""`history.html` and `history.json`: what many runs showed, night by night, from one SQLite file."""
