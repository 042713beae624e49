"""Our benchmarks in VLMEvalKit: `python -m pixfound_tasks.vlmevalkit --data PixMini_VQA PixMini_Ground --model NAME`.

`datasets.register` adds them to VLMEvalKit's own list, without changing its files, for those who start it themselves.
"""
