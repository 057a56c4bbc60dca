"""The index of a bundle: one SQLite file, made once, read by every page, thrown away without loss.

Sums over summaries lie beside what they are sums of, so that no page adds up more than it shows. Arrays are float64,
little-endian, in the order of the release's concepts (and of its sites).
"""

from __future__ import annotations

VERSION = 2  # to be counted up when what is written into the tables is made in another way
TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
  number INTEGER PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, site TEXT, kind TEXT, subject TEXT, concerns TEXT,
  release INTEGER, choice TEXT, plan TEXT, approvals INTEGER NOT NULL, sealed INTEGER NOT NULL
);
CREATE TABLE releases (
  place INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, number INTEGER NOT NULL, facts TEXT NOT NULL
);
CREATE TABLE experts (
  release INTEGER NOT NULL, site TEXT NOT NULL, place INTEGER NOT NULL, card TEXT NOT NULL,
  weights BLOB, contributions BLOB, evidence BLOB, qualified REAL, share REAL,
  PRIMARY KEY (release, site)
) WITHOUT ROWID;
CREATE TABLE sums (
  release INTEGER PRIMARY KEY, summaries INTEGER NOT NULL, decisions INTEGER NOT NULL, patients INTEGER NOT NULL,
  suppressed INTEGER NOT NULL, answered BLOB NOT NULL, abstained BLOB NOT NULL, rest BLOB NOT NULL,
  flagged BLOB NOT NULL, wrong BLOB NOT NULL, confident BLOB NOT NULL
);
CREATE TABLE summaries (
  release INTEGER NOT NULL, site TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, digest TEXT NOT NULL,
  decisions INTEGER NOT NULL, patients INTEGER NOT NULL, suppressed INTEGER NOT NULL, answered INTEGER NOT NULL,
  nobody INTEGER NOT NULL, otherwise INTEGER NOT NULL, flagged INTEGER NOT NULL, wrong INTEGER NOT NULL,
  confident INTEGER NOT NULL, rest BLOB NOT NULL, qualified BLOB NOT NULL,
  PRIMARY KEY (release, site, first, digest)
) WITHOUT ROWID;
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, site TEXT, name TEXT NOT NULL, release TEXT NOT NULL, label TEXT,
  best TEXT NOT NULL, standing TEXT NOT NULL, refitted INTEGER NOT NULL, explanation TEXT NOT NULL
);
CREATE TABLE removals (
  site TEXT PRIMARY KEY, decisions INTEGER NOT NULL, share REAL NOT NULL, effect REAL NOT NULL, changed INTEGER NOT NULL
) WITHOUT ROWID;
"""
INDEXES = """
CREATE INDEX entries_by_event ON entries (event, number);
CREATE INDEX entries_by_site ON entries (site, number);
CREATE INDEX entries_by_subject ON entries (subject);
CREATE INDEX entries_by_release ON entries (release);
CREATE INDEX decisions_by_standing ON decisions (standing, id);
CREATE INDEX experts_by_place ON experts (release, place);
CREATE INDEX experts_by_site ON experts (site, release);
"""

FACT = "INSERT INTO facts VALUES (?, ?)"
ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
RELEASE = "INSERT INTO releases VALUES (?, ?, ?, ?)"
EXPERT = "INSERT INTO experts (release, site, place, card) VALUES (?, ?, ?, ?)"
EXPERT_SUMS = """
UPDATE experts SET weights = ?, contributions = ?, evidence = ?, qualified = ?, share = ? WHERE release = ? AND site = ?
"""
SUMS = "INSERT INTO sums VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
SUMMARY = "INSERT OR IGNORE INTO summaries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
DECISION = """
INSERT INTO decisions (source, site, name, release, label, best, standing, refitted, explanation)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
REMOVAL = "INSERT INTO removals VALUES (?, ?, ?, ?, ?)"
TIMES = "SELECT at, event, kind, count(*) FROM entries GROUP BY at, event, kind"
