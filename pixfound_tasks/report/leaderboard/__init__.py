"""Leaderboards: a run's scores as a row that can be passed on, and the rows of many runs as one table.

A file holds one row, or a list of rows, in JSON. Every field below is there; null is "not measured", "not known" or
"not asked". Numbers are finite, shares in 0..1, texts at most as long as `schema` says.

| field | meaning |
|---|---|
| `schema` | `pixfound-leaderboard/1`; a change that older versions cannot read raises the number |
| `model`, `revision` | the model's name as lmms-eval has it, and its revision on the hub |
| `benchmark` | `pixmmvp`, `pixcvbench` or `pixmini` |
| `data` | `origin`: files and revisions, for people; `content`: of what they hold, the first 12 digits of the SHA-256 |
| `documents`, `known_documents` | images that every task of the run has, and those of the benchmark |
| `partial`, `limit` | whether those are not all, or the run had a limit; the limit |
| `scores` | by the names in `schema.SCORES`: `value`, and its 95 % interval from `low` to `high` |
| `outcomes` | of `questions` (`choice`, `open`), by rule (`paper`, `strict`): the four counts, of pairs or images |
| `settings` | by the names in `schema.SETTINGS`: what decides whether rows compare, and what they were made with |
| `versions`, `date` | of the software, and of the run |

`settings` in `COMPARED` (prompts, answers, selection, judges) and the data keep rows apart: the table has a section for
each combination.
"""

from __future__ import annotations

from pixfound_tasks.report.leaderboard.rows import rows, write_rows
from pixfound_tasks.report.leaderboard.schema import SCHEMA, LeaderboardError, read_rows

__all__ = ["SCHEMA", "LeaderboardError", "read_rows", "rows", "write_rows"]
