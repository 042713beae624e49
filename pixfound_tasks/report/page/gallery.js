// The gallery: which cards there are, in which order, and drawing only those near the window.

const data = JSON.parse(document.getElementById("data").textContent);
const state = { run: 0, rule: "paper", outcome: "", answer: "", pattern: "", source: "", task: "", text: "", sort: "id", truth: true, prediction: true };
const ANY_KIND = Object.fromEntries(Object.keys(data.kinds).map((kind) => [kind, ""]));
const looks = new Map(); // "run/id" -> the phrase and candidate looked at there
const grid = document.getElementById("grid");
const toolbar = document.getElementById("toolbar");
const samples = new WeakMap(); // card -> sample
let target = null;

const observer = new IntersectionObserver((entries) => {
  for (const { target: card, isIntersecting } of entries) {
    if (isIntersecting) {
      draw(card);
    } else if (card.firstChild) {
      // Canvases of more than a thousand cards would fill the memory: keep the height, drop the rest.
      card.style.minHeight = `${card.offsetHeight}px`;
      card.replaceChildren();
    }
  }
}, { rootMargin: "600px" });

function sampleOf(answer) {
  const run = data.runs[state.run];
  const outcome = answer.outcomes && answer.outcomes[state.rule];
  return {
    id: answer.id, answer, outcome,
    outcomeName: data.outcomes[outcome],
    doc: data.documents[run.benchmark][answer.id],
    image: data.images[run.benchmark][answer.id],
    link: hash(answer.id, null),
  };
}

function hash(id, phrase) {
  const fields = new URLSearchParams({ run: state.run, image: id });
  if (phrase !== null && phrase !== undefined) fields.set("phrase", phrase);
  return `#${fields}`;
}

function draw(card) {
  const sample = samples.get(card);
  const key = `${state.run}/${sample.id}`;
  const look = looks.get(key) || { phrase: null, candidate: null };
  card.style.minHeight = "";
  fillCard(card, sample, { ...look, truth: state.truth, prediction: state.prediction }, (changes) => {
    looks.set(key, { ...look, ...changes });
    history.replaceState(null, "", hash(sample.id, looks.get(key).phrase));
    keepingFocus(card, () => draw(card));
  });
}

function matches(sample) {
  const { doc, answer, outcome } = sample;
  if (state.outcome && outcome !== state.outcome) return false;
  const asked = answer.vqa || answer.open;
  if (state.answer && !(asked && String(asked.right) === state.answer)) return false;
  if (Object.keys(data.kinds).some((kind) => state[kind] && doc[kind] !== state[kind])) return false;
  const texts = [sample.id, doc.question, doc.options_text, doc.expression, ...["vqa", "open", "ground"].map((name) => answer[name] && answer[name].text)];
  return texts.some((text) => text && text.toLowerCase().includes(state.text.toLowerCase())) || !state.text;
}

function inOrder(list) {
  if (state.sort === "id") return list;
  const sign = state.sort === "lowest" ? 1 : -1;
  const iou = ({ answer }) => (answer.ground && answer.ground.iou !== null ? sign * answer.ground.iou : Infinity);
  return list.sort((a, b) => iou(a) - iou(b) || 0);
}

function show() {
  const all = data.runs[state.run].answers.map(sampleOf);
  const shown = inOrder(all.filter(matches));
  observer.disconnect();
  const cards = shown.map((sample) => {
    const card = element("article", `card${sample.id === target ? " target" : ""}`);
    card.dataset.id = sample.id;
    samples.set(card, sample);
    return card;
  });
  grid.replaceChildren(...(cards.length ? cards : [element("p", "empty", "No image fits these filters.")]));
  cards.forEach((card) => observer.observe(card));
  toolbar.querySelector(".count").textContent = `${shown.length} of ${all.length} images`;
}

function redraw() {
  for (const card of grid.querySelectorAll(".card")) if (card.firstChild) draw(card);
}

function choice(name, options, label) {
  const node = element("select");
  node.setAttribute("aria-label", label);
  for (const [value, words] of options) {
    const option = element("option", "", words);
    option.value = value;
    node.append(option);
  }
  node.value = state[name];
  node.addEventListener("change", () => set({ ...(name === "run" ? ANY_KIND : {}), [name]: node.value }));
  return node;
}

// Null where the benchmark has no such thing.
function kindChoice(kind, words, documents) {
  const names = [...new Set(documents.map((each) => each[kind]))].filter(Boolean).sort();
  return names.length ? choice(kind, [["", `Any ${words}`], ...names.map((name) => [name, name])], words) : null;
}

function layer(name, words) {
  const box = element("input");
  box.type = "checkbox";
  box.checked = state[name];
  box.addEventListener("change", () => {
    state[name] = box.checked;
    redraw();
  });
  return element("label", "", box, element("i", `key ${name}`), words);
}

function set(changes) {
  Object.assign(state, changes);
  keepingFocus(toolbar, buildToolbar);
  show();
}

// Rebuilds a part of the page, after which the same control has the keyboard's focus.
function keepingFocus(part, rebuild) {
  const controls = () => [...part.querySelectorAll("button, select, input")];
  const index = controls().indexOf(document.activeElement);
  rebuild();
  if (index >= 0 && controls()[index]) controls()[index].focus({ preventScroll: true });
}

function buildToolbar() {
  const run = data.runs[state.run];
  const documents = Object.values(data.documents[run.benchmark]);
  const hasOutcomes = run.answers.some((answer) => answer.outcomes);
  const runs = choice("run", data.runs.map((each, index) => [index, `${each.model} · ${each.benchmark}`]), "Run");
  const rules = choice("rule", [["paper", "paper rule"], ["strict", "strict rule"]], "Rule for empty masks");
  const outcomes = Object.entries(data.outcomes).map(([name, words]) =>
    button("", state.outcome === name, () => set({ outcome: state.outcome === name ? "" : name }), element("i", name), words));
  const kinds = Object.entries(data.kinds).map(([kind, words]) => kindChoice(kind, words, documents));
  const search = element("input");
  search.type = "search";
  search.placeholder = "Search question, expression, answer";
  search.value = state.text;
  search.addEventListener("input", () => {
    state.text = search.value;
    show();
  });
  toolbar.replaceChildren(
    ...(data.runs.length > 1 ? [runs] : []),
    ...(hasOutcomes ? [...outcomes, rules] : []),
    choice("answer", [["", "Any answer"], ["true", "Answered rightly"], ["false", "Answered wrongly"]], "Answer"),
    ...kinds.filter(Boolean),
    search,
    choice("sort", [["id", "By image"], ["lowest", "IoU, lowest first"], ["highest", "IoU, highest first"]], "Order"),
    layer("truth", "Truth"), layer("prediction", "Prediction"), element("span", "count"));
}

// #run=0&image=12&phrase=1 opens that image's card, with that phrase looked at.
function goToHash() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const run = data.runs[Number(fields.get("run"))] ? Number(fields.get("run")) : 0;
  const answer = data.runs[run].answers.find((each) => each.id === fields.get("image"));
  if (!answer) return;
  const phrase = fields.has("phrase") ? Number(fields.get("phrase")) : null;
  if (phrase !== null && answer.ground && answer.ground.phrases[phrase]) {
    looks.set(`${run}/${answer.id}`, { phrase, candidate: startCandidate(answer.ground, phrase) });
  }
  target = answer.id;
  set({ run, outcome: "", answer: "", ...ANY_KIND, text: "" });
  grid.querySelector(".target").scrollIntoView();
}

buildToolbar();
show();
goToHash();
window.addEventListener("hashchange", goToHash);
