// The gallery: filters and sorts the cards, and draws only the cards near the window.

const looks = new Map(); // "run/id" -> the open phrase and candidate; a null candidate means the initial one
const samples = new WeakMap(); // card -> sample
const near = new Set(); // cards near the window
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

function hash(id, phrase) {
  const fields = new URLSearchParams({ run: state.run, image: id });
  if (phrase !== null) fields.set("phrase", phrase);
  return `#${fields}`;
}

// The address of everything that the reader chose. An image that the filters leave out is not part of it.
function remember() {
  const fields = new URLSearchParams({ run: state.run });
  for (const [name, initial] of Object.entries(INITIAL)) if (state[name] !== initial) fields.set(name, state[name]);
  const hidden = Object.keys(LAYERS).filter((name) => !state.layers[name]);
  if (hidden.length) fields.set("hide", hidden);
  if (marked !== null) {
    fields.set("image", marked);
    const { phrase } = lookOf({ id: marked });
    if (phrase !== null) fields.set("phrase", phrase);
  }
  history.replaceState(null, "", `#${fields}`);
}

function lookOf({ id }) {
  return looks.get(`${state.run}/${id}`) || { phrase: null, candidate: null };
}

function draw(card) {
  const sample = samples.get(card);
  let { phrase, candidate } = lookOf(sample);
  if (phrase !== null && !(sample.details && sample.details.phrases[phrase])) phrase = null;
  if (phrase !== null && candidate === null) candidate = startCandidate(sample.details, phrase);
  card.style.minHeight = "";
  fillCard(card, sample, { phrase, candidate, layers: state.layers }, (changes) => change(card, changes));
}

function change(card, changes) {
  const sample = samples.get(card);
  const look = { ...lookOf(sample), ...changes };
  looks.set(`${state.run}/${sample.id}`, look);
  marked = sample.id;
  remember();
  const scrolled = () => card.querySelector(".answer") || {};
  const { scrollTop } = scrolled();
  keepingFocus(card, () => draw(card));
  scrolled().scrollTop = scrollTop || 0; // of a long answer
}

function show() {
  const all = data.runs[state.run].answers.map(sampleOf);
  const shown = inOrder(all.filter(matches));
  observer.disconnect();
  near.clear();
  const cards = shown.map((sample, index) => {
    const card = element("article", `card${sample.id === marked ? " target" : ""}`);
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

// Whether a value from the address is one that the toolbar can set.
function isKnown(name, value) {
  if (value === null) return false;
  const known = { outcome: Object.keys(data.outcomes), answer: ["true", "false"], rule: RULES, sort: ORDERS };
  return !(name in known) || known[name].includes(value);
}

// #run=0&image=12&phrase=1 opens that image's card with that phrase. Filters, order and hidden layers may be there, too.
function goToHash() {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (![...fields].length) return;
  const run = data.runs[Number(fields.get("run"))] ? Number(fields.get("run")) : 0;
  const answer = data.runs[run].answers.find((each) => each.id === fields.get("image"));
  if (answer && fields.has("phrase")) {
    looks.set(`${run}/${answer.id}`, { phrase: Number(fields.get("phrase")), candidate: null });
  }
  marked = answer ? answer.id : null;
  const hidden = (fields.get("hide") || "").split(",");
  for (const name of Object.keys(LAYERS)) state.layers[name] = !hidden.includes(name);
  const given = Object.keys(INITIAL).filter((name) => isKnown(name, fields.get(name))).map((name) => [name, fields.get(name)]);
  state.run = run;
  set({ ...INITIAL, ...Object.fromEntries(given) });
  const card = grid.querySelector(".target");
  if (card) card.scrollIntoView();
  else if (given.length) document.getElementById("gallery").scrollIntoView();
}

buildToolbar();
show();
goToHash();
window.addEventListener("hashchange", goToHash);
