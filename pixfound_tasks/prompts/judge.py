"""The study's prompts and settings for its judges, from its scripts. `PIXFOUND_JUDGING` and `judging` select them.

The judge of answers (protocols 1 and 2) gets `SYSTEM` as the system prompt and `QUESTION` as the user's message. The
question is MMVP's. The study names the correct option by its letter alone, as its benchmark writes it: "(a)" in
PixMMVP, "(A)" in PixCV-Bench. The judge has to look up the option in the prompt. The judge of concepts gets
`CONCEPT_SYSTEM` and `CONCEPT_QUESTION`, and the judge of masks gets `MASK_SYSTEM`. All of them have one temperature.
"""

from __future__ import annotations

from pixfound_tasks.choices import check_choice

STUDY = "study"
JUDGINGS = ("default", STUDY)  # how a judge is asked and read
SYSTEM = (
    "You are a helpful and precise assistant for checking the quality of the answer. Please answer in only yes or no."
)
TEMPERATURE = 0.2
QUESTION = (
    "Given the following question {question}, the correct answer is {answer}. Does the following answer correctly "
    "answers the question, answer:{response}? Respond with a Yes/No"
)
CONCEPT_SYSTEM = (
    "You are a helpful and precise assistant for providing the main concept of the noun phrase of interest."
)
CONCEPT_QUESTION = (
    "Can you classify the following noun phrase belongs to which of these 6 concepts: (a) Color and appearance, "
    "(b) Location and position, (c) Object part, (d) Context or setting, (e) Objects/entities, (f) State. Please "
    "respond with one or two letters and provide letters only. You will be given the noun phrase and the correponding "
    "full context.: '{phrase}', '{answer}'. "
)
MASK_SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."


def check_judging(judging: str, name: str = "PIXFOUND_JUDGING") -> None:
    """Raise ValueError unless `judging` is one of `JUDGINGS`. `name` is the setting's, for the message."""
    check_choice(name, judging, JUDGINGS)
