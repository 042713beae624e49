// The gallery: filters and sorts the cards, and draws only the cards near the window.

const looks = new Map(); // "run/id" -> the open phrase and candidate; a null candidate means the initial one
const samples = new WeakMap(); // card -> sample
const near = new Set(); // cards near the window
const CLOSED = { phrase: null, candidate: null, step: null, all: false };
let marked = null; // the id in the page's address

const observer = new IntersectionObserver((entries) => {
  for (const { target: card, isIntersecting } of entries) {
    if (isIntersecting) {
      near.add(card);
      openCard(card);
    } else if (near.delete(card)) {
      closeCard(card);
    }
  }
}, { rootMargin: "600px" });

async function openCard(card) {
  await complete(samples.get(card));
  if (near.has(card)) draw(card);
}

// The canvases of a thousand cards would fill the memory, so only the card's height is kept.
function closeCard(card) {
  if (card.firstChild) card.style.minHeight = `${card.offsetHeight}px`;
  card.replaceChildren();
  forget(samples.get(card));
}

function lookOf({ id }) {
  return looks.get(`${state.run}/${id}`) || CLOSED;
}

function draw(card) {
  const sample = samples.get(card);
  card.style.minHeight = "";
  if (sample.sides) {
    fillRow(card, sample);
    return;
  }
  let { phrase, candidate, step, all } = lookOf(sample);
  if (phrase !== null && !(sample.details && phrasesOf(sample.details)[phrase])) phrase = null;
  if (phrase !== null && candidate === null) candidate = startCandidate(sample.details, phrase);
  if (step !== null && !(sample.details && stepsOf(sample.details)[step])) step = null;
  const view = { phrase, candidate, step, all, layers: state.layers };
  fillCard(card, sample, view, (changes, isRedrawn) => change(card, changes, isRedrawn));
}

function change(card, changes, isRedrawn = true) {
  const sample = samples.get(card);
  const look = { ...lookOf(sample), ...changes };
  looks.set(`${state.run}/${sample.id}`, look);
  marked = sample.id;
  remember();
  if (!isRedrawn) return;
  const scrolled = () => card.querySelector(".answer") || {};
  const { scrollTop } = scrolled();
  keepingFocus(card, () => draw(card));
  scrolled().scrollTop = scrollTop || 0; // of a long answer
}

function show() {
  const isCompared = state.mode === "compare";
  const all = isCompared ? comparedSamples() : data.runs[state.run].answers.map(sampleOf);
  const shown = inOrder(all.filter(matches));
  observer.disconnect();
  near.clear();
  const cards = shown.map((sample, index) => {
    const card = element("article", `card${isCompared ? " row" : ""}${sample.id === marked ? " target" : ""}`);
    card.dataset.id = sample.id;
    card.tabIndex = index ? -1 : 0;
    samples.set(card, sample);
    return card;
  });
  grid.replaceChildren(...(cards.length ? cards : [element("p", "empty", "No image matches these filters.")]));
  cards.forEach((card) => observer.observe(card));
  toolbar.querySelector(".count").textContent = `${shown.length} of ${all.length} images`;
  toolbar.querySelector(".clear").hidden = Object.keys(ANY).every((name) => !state[name]);
}

function redraw() {
  for (const card of near) if (card.firstChild) draw(card);
}
