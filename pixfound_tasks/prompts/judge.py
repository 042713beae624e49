"""The study's prompts for the judge of open answers (protocol 1), from its evaluation script.

The study's judge is GPT-4o. It gets `SYSTEM` as the system prompt and `QUESTION` as the user's message. The question is
MMVP's. The study names the correct option by its letter alone, as its benchmark writes it: "(a)" in PixMMVP, "(A)" in
PixCV-Bench. The judge has to look up the option in the prompt.
"""

from __future__ import annotations

SYSTEM = (
    "You are a helpful and precise assistant for checking the quality of the answer. Please answer in only yes or no."
)
TEMPERATURE = 0.2
QUESTION = (
    "Given the following question {question}, the correct answer is {answer}. Does the following answer correctly "
    "answers the question, answer:{response}? Respond with a Yes/No"
)
