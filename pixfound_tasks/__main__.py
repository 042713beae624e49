"""`python -m pixfound_tasks`: the command `pixfound`, for instance in `accelerate launch -m pixfound_tasks run ...`."""

from pixfound_tasks.cli.app import app

app(prog_name="pixfound")
