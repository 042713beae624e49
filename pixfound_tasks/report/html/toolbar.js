// The reader's controls: filters, order and layers. Other elements with `data-filter` set filters too.

const ANY_KIND = Object.fromEntries(Object.keys(data.kinds).map((kind) => [kind, ""]));
const ANY = { outcome: "", answer: "", text: "", ...ANY_KIND };
const INITIAL = { ...ANY, rule: "paper", sort: "id", mode: "cards" };
const RULES = ["paper", "strict"];
const ORDERS = ["id", "lowest", "highest", "disagreement"];
const MODES = ["cards", "compare"];
const toolbar = document.getElementById("toolbar");

function set(changes) {
  const isOtherRun = "run" in changes && changes.run !== state.run;
  Object.assign(state, isOtherRun ? ANY_KIND : {}, changes);
  if (runsOf(data.runs[state.run].benchmark).length < 2) state.mode = "cards";
  if (state.mode === "cards" && state.sort === "disagreement") state.sort = "id";
  if (!hasOutcomes()) state.outcome = "";
  if (isOtherRun && !data.runs[state.run].answers.some(({ id }) => id === marked)) marked = null;
  keepingFocus(toolbar, buildToolbar);
  show();
  remember();
}

function hasOutcomes() {
  return data.runs[state.run].answers.some((answer) => answer.outcomes);
}

// Rebuilds a part of the page and returns the keyboard focus to the same control.
function keepingFocus(part, rebuild) {
  const controls = () => [...part.querySelectorAll("button, select, input")];
  const index = controls().indexOf(document.activeElement);
  rebuild();
  if (index >= 0 && controls()[index]) controls()[index].focus({ preventScroll: true });
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
  node.addEventListener("change", () => set({ [name]: name === "run" ? Number(node.value) : node.value }));
  return node;
}

// Returns null if the benchmark does not have this kind.
function kindChoice(kind, words, documents) {
  const names = [...new Set(documents.map((each) => each[kind]))].filter(Boolean).sort();
  return names.length ? choice(kind, [["", `Any ${words}`], ...names.map((name) => [name, name])], words) : null;
}

function searchBox() {
  const search = element("input");
  search.type = "search";
  search.placeholder = "Search question, expression, answer";
  search.setAttribute("aria-label", "Search");
  search.value = state.text;
  search.addEventListener("input", () => {
    state.text = search.value;
    show();
    remember();
  });
  return search;
}

function buildToolbar() {
  const run = data.runs[state.run];
  const documents = run.answers.map(({ id }) => data.documents[run.benchmark][id]);
  const runs = choice("run", data.runs.map((each, index) => [index, `${each.model} · ${each.benchmark}`]), "Run");
  const rules = choice("rule", RULES.map((rule) => [rule, `${rule} rule`]), "Rule for empty masks");
  const outcomes = Object.entries(data.outcomes).map(([name, words]) =>
    button("", state.outcome === name, () => set({ outcome: state.outcome === name ? "" : name }), element("i", name), words));
  const kinds = Object.entries(data.kinds).map(([kind, words]) => kindChoice(kind, words, documents));
  const orders = [["id", "By image"], ["lowest", "IoU, lowest first"], ["highest", "IoU, highest first"],
    ...(state.mode === "compare" ? [["disagreement", "Most different first"]] : [])];
  const clear = button("clear", false, () => set(ANY), "Clear filters");
  const copy = button("copy", false, copyLink, "Copy link");
  for (const plain of [clear, copy]) plain.removeAttribute("aria-pressed");
  toolbar.replaceChildren(
    ...modes(),
    ...(data.runs.length > 1 ? [runs] : []),
    ...(hasOutcomes() ? [...outcomes, rules] : []),
    choice("answer", [["", "Any answer"], ["true", "Correct answer"], ["false", "Incorrect answer"]], "Answer"),
    ...kinds.filter(Boolean),
    searchBox(),
    choice("sort", orders, "Order"), layersMenu(), element("span", "count"), clear, copy);
}

// One model at a time, or all models of a benchmark beside each other.
function modes() {
  if (runsOf(data.runs[state.run].benchmark).length < 2) return [];
  const go = (mode) => set({ mode, sort: mode === "compare" ? "disagreement" : "id" });
  return [element("span", "modes", button("", state.mode === "cards", () => go("cards"), "One model"),
    button("", state.mode === "compare", () => go("compare"), "All models"))];
}

// The address shows the same images again: run, filters, order, layers, image and phrase.
async function copyLink({ currentTarget: pressed }) {
  try {
    await navigator.clipboard.writeText(location.href);
    pressed.textContent = "Copied";
  } catch {
    pressed.textContent = "Copy the address of this page";
  }
}

// The filters of an element: an object with names of `state`; `run` is an index of `data.runs`.
function filterOf(node) {
  const wanted = JSON.parse(node.dataset.filter);
  const known = Object.entries(wanted).filter(([name, value]) => name in ANY || name === "rule" || (name === "run" && data.runs[value]));
  return { ...ANY, ...Object.fromEntries(known) };
}

function applyFilter(event) {
  const node = event.target.closest("[data-filter]");
  if (!node || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  set(filterOf(node));
  document.getElementById("gallery").scrollIntoView();
}

for (const node of document.querySelectorAll("[data-filter]")) {
  if (!node.matches("a, button")) Object.assign(node, { tabIndex: 0, role: "button" });
}
document.addEventListener("click", applyFilter);
document.addEventListener("keydown", applyFilter);
