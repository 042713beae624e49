// The page's address: the run, filters, order, layers, image, phrase and token that the reader chose.

function address(fields) {
  return `#${new URLSearchParams(fields)}`;
}

// Writes the address. An image that the filters leave out is not part of it.
function remember() {
  const fields = { run: state.run };
  for (const [name, initial] of Object.entries(INITIAL)) if (state[name] !== initial) fields[name] = state[name];
  const hidden = Object.keys(LAYERS).filter((name) => !state.layers[name]);
  if (hidden.length) fields.hide = hidden;
  for (const name of Object.keys(OPACITIES)) if (state.opacity[name] < 100) fields[`${name}-opacity`] = state.opacity[name];
  if (marked !== null) {
    fields.image = marked;
    const { phrase, step } = lookOf({ id: marked });
    if (phrase !== null) fields.phrase = phrase;
    if (step !== null) fields.token = step;
  }
  history.replaceState(null, "", address(fields));
}

// Whether a value from the address is one that the toolbar can set.
function isKnown(name, value) {
  if (value === null) return false;
  const known = { outcome: Object.keys(data.outcomes), answer: ["true", "false"], rule: RULES, sort: ORDERS, mode: MODES };
  return !(name in known) || known[name].includes(value);
}

// #run=0&image=12&phrase=1 opens that image's card with that phrase. Filters, order and hidden layers may be there, too.
function goToHash() {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (![...fields].length || fields.has("gallery")) return; // the link that skips to the gallery
  const run = data.runs[Number(fields.get("run"))] ? Number(fields.get("run")) : 0;
  const answer = answerOf(run, fields.get("image"));
  if (answer && (fields.has("phrase") || fields.has("token"))) looks.set(`${run}/${answer.id}`, { ...CLOSED, phrase: whole(fields.get("phrase")), step: whole(fields.get("token")) });
  marked = answer ? answer.id : null;
  const hidden = (fields.get("hide") || "").split(",");
  for (const name of Object.keys(LAYERS)) state.layers[name] = !hidden.includes(name);
  for (const name of Object.keys(OPACITIES)) state.opacity[name] = Math.min(Math.max(whole(fields.get(`${name}-opacity`)) || 100, 10), 100);
  applyOpacity();
  const given = Object.keys(INITIAL).filter((name) => isKnown(name, fields.get(name))).map((name) => [name, fields.get(name)]);
  state.run = run;
  set({ ...INITIAL, ...Object.fromEntries(given) });
  const card = grid.querySelector(".target");
  if (card) card.scrollIntoView();
  else if (given.length) document.getElementById("gallery").scrollIntoView();
}

// A number from the address, counted from 0; null for anything else.
function whole(text) {
  return /^\d{1,6}$/.test(text || "") ? Number(text) : null;
}

buildToolbar();
show();
goToHash();
window.addEventListener("hashchange", goToHash);
