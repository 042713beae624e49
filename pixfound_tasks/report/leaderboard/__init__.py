"""Leaderboards: a run's scores as a row that can be shared, and the rows of many runs as one table.

A JSON file holds one row or a list of rows. Every field below is required; null means "not measured", "unknown" or
"not run". Numbers are finite, fractions are in 0..1, and strings have at most the length given in `schema`.

| field | meaning |
|---|---|
| `schema` | `pixfound-leaderboard/1`; the number increases if older versions cannot read the new format |
| `model`, `revision` | the model's name as lmms-eval reports it, and its revision on the hub |
| `benchmark` | `pixmmvp`, `pixcvbench` or `pixmini` |
| `data` | `origin`: files and revisions, as text; `content`: first 12 hex digits of the SHA-256 of the content |
| `documents`, `known_documents` | number of images that every task of the run has, and number in the benchmark |
| `partial`, `limit` | whether images are missing or the run had a limit; the limit |
| `scores` | for each name in `schema.SCORES`: `value`, and its 95 % interval from `low` to `high` |
| `outcomes` | `questions` (`choice` or `open`), and by rule (`paper`, `strict`) the four counts of pairs or images |
| `settings` | for each name in `schema.SETTINGS`: its value in the run, or null |
| `versions`, `date` | the software's versions, and the run's date |
| `report` | the report's address (https), or its path from the row's file; rows of earlier versions have none |

Rows can be compared only if they have the same data and the same `settings` in `COMPARED` (prompts, answers, selection,
judges). The table has one section per combination of these.
"""

from __future__ import annotations

from pixfound_tasks.report.leaderboard.rows import rows, write_rows
from pixfound_tasks.report.leaderboard.schema import SCHEMA, LeaderboardError, read_rows

__all__ = ["SCHEMA", "LeaderboardError", "read_rows", "rows", "write_rows"]
