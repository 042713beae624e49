// Keys: up and down (or k and j) move between cards, left and right between phrases, and Escape leaves a phrase.

const CARD_STEPS = { ArrowDown: 1, ArrowUp: -1 };
const LETTER_STEPS = { j: 1, k: -1 }; // these work with any focus; arrow keys outside a card scroll the page
const PHRASE_STEPS = { ArrowRight: 1, ArrowLeft: -1 };

function goToCard(from, step) {
  const cards = [...grid.querySelectorAll(".card")];
  const current = from || grid.querySelector('.card[tabindex="0"]');
  const next = from ? cards[cards.indexOf(from) + step] : current;
  if (!next) return;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function goToPhrase(card, step) {
  const sample = samples.get(card);
  if (!sample.details) return;
  const order = phraseOrder(sample.details);
  const at = order.indexOf(lookOf(sample).phrase);
  const next = order[at < 0 && step < 0 ? order.length - 1 : at + step];
  if (next !== undefined) lookAtPhrase(card, next);
}

function isOpen({ phrase, step }) {
  return phrase !== null || step !== null;
}

function lookAtPhrase(card, phrase) {
  const isInside = document.activeElement !== card;
  change(card, { phrase, candidate: null, step: null });
  const pressed = card.querySelector('.phrase[aria-pressed="true"]');
  if (pressed) pressed.scrollIntoView({ block: "nearest" });
  if (isInside) (pressed || card).focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  const { key, target: node } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || node.closest("input, select, textarea, dialog")) return;
  const card = node.closest(".card");
  const step = LETTER_STEPS[key] || (card && CARD_STEPS[key]);
  if (step) goToCard(card, step);
  else if (card && PHRASE_STEPS[key]) goToPhrase(card, PHRASE_STEPS[key]);
  else if (card && key === "Escape" && isOpen(lookOf(samples.get(card)))) lookAtPhrase(card, null);
  else return;
  event.preventDefault();
});

// The Tab key stops at one card only: the one that had the focus last.
grid.addEventListener("focusin", ({ target: node }) => {
  const card = node.closest(".card");
  if (!card) return;
  for (const other of grid.querySelectorAll('.card[tabindex="0"]')) other.tabIndex = -1;
  card.tabIndex = 0;
});
