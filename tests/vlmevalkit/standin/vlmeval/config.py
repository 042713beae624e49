from functools import partial

from vlmeval.vlm import Reader

supported_VLM = {"reader": partial(Reader, model_path="")}
