"""`pixfound doctor`: whether evaluations can run on this machine, and what to do if they cannot.

`examination.as_json` gives what `pixfound doctor --json` prints:

| key | meaning |
|---|---|
| `schema` | `pixfound-doctor/1`; the number changes if a key changes its meaning or goes |
| `can_evaluate` | whether there is no error |
| `findings` | objects with `section`, `name`, `status`, `detail` and `remedy`, in the order of the text |

`status` is `ok`, `note` (worth knowing), `warning` (some part does not work, or was not tested) or `error`
(evaluations cannot run). `remedy` is empty if there is nothing to do.
"""
