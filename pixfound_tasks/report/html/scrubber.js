// The answer token by token: each token's map as it was generated, with the phrases marked.

const PLAY_MS = 260; // per token

// The answer's tokens that have maps, or without such maps its phrases: their texts, ranges and maps.
function stepsOf({ tokens, phrases }) {
  if (tokens) return tokens.chars.map((chars, index) => ({ chars, map: tokens.levels[index] && { size: tokens.size, levels: tokens.levels[index] } }));
  return phraseOrder({ phrases }).map((index) => phrases[index]).filter(({ map, chars }) => map && chars);
}

function opener(details, change) {
  const node = button("open-scrubber", false, () => change({ step: 0, phrase: null }), details.tokens ? "▶ Token by token" : "▶ Phrase by phrase");
  node.removeAttribute("aria-pressed");
  return node;
}

// The steps' texts in order, with what is between them: [text, index of the step or null, whether it is in a phrase].
function pieces(written, steps, phrases) {
  const characters = Array.from(written), found = [];
  const isMarked = ([from, to]) => phrases.some(({ chars }) => chars && chars[0] < to && from < chars[1]);
  let end = 0;
  steps.forEach(({ chars: [from, to] }, index) => {
    let start = Math.max(from, end);
    while (start < to && /\s/.test(characters[start])) start++; // the space before a word
    if (start > end) found.push([characters.slice(end, start).join(""), null, false]);
    if (to > start) found.push([characters.slice(start, to).join(""), index, isMarked([start, to])]);
    end = Math.max(end, to);
  });
  found.push([characters.slice(end).join(""), null, false]);
  return found;
}

function scrubber(sample, view, change) {
  const { answer: { ground }, details } = sample;
  const steps = details ? stepsOf(details) : [];
  if (steps.length < 2) return null;
  const kind = details.tokens ? "Token" : "Phrase";
  const spans = new Map();
  const text = element("p", "tokens", ...pieces(ground.text, steps, details.phrases).map(([words, index, isMarked]) => {
    const span = element("span", `${index === null ? "between" : "token"}${isMarked ? " marked" : ""}`, words);
    if (index !== null) {
      spans.set(index, span);
      span.addEventListener("click", () => go(index));
    }
    return span;
  }));
  text.dir = "auto";
  const range = element("input", "scrub");
  Object.assign(range, { type: "range", min: 0, max: steps.length - 1, value: view.step ?? startStep(steps, phrasesOf(details)[view.phrase]) });
  range.setAttribute("aria-label", `${kind} of the answer`);
  const told = element("span", "label told");
  const play = button("play", false, () => (play.timer ? pause() : start()), "▶ Play");

  function show(index) {
    const words = spans.has(index) ? spans.get(index).textContent.trim() : "";
    for (const [each, span] of spans) span.classList.toggle("current", each === index);
    range.setAttribute("aria-valuetext", `${index + 1} of ${steps.length}: ${words}`);
    told.textContent = `${kind} ${index + 1} of ${steps.length}${steps[index].map ? "" : ", without a map"}`;
  }
  function go(index) {
    range.value = index;
    show(index);
    change({ step: index }, false);
    const box = range.closest(".card").querySelector(".frame > .picture");
    replaceMap(box, sample.doc, state.layers.map ? steps[index].map : null);
    const point = box.querySelector(".point");
    if (point) point.style.visibility = isWithin(steps[index], phrasesOf(details)[view.phrase]) ? "" : "hidden";
    box.setAttribute("aria-label", inWords(sample, spans.has(index) ? spans.get(index).textContent.trim() : "a token", { map: steps[index].map }));
  }
  function pause() {
    clearInterval(play.timer);
    play.timer = 0;
    play.textContent = "▶ Play";
    play.setAttribute("aria-pressed", "false");
  }
  function start() {
    if (Number(range.value) === steps.length - 1) go(0);
    play.textContent = "❚❚ Pause";
    play.setAttribute("aria-pressed", "true");
    play.timer = setInterval(() => {
      if (!range.isConnected || Number(range.value) === steps.length - 1) pause();
      else go(Number(range.value) + 1);
    }, PLAY_MS);
  }

  range.addEventListener("input", () => go(Number(range.value)));
  show(Number(range.value));
  return element("div", "scrubber", text, element("div", "scrub-row", play, range, told));
}

// Whether a step is part of a phrase, whose point belongs on its map; without a step or characters, it is.
function isWithin(step, phrase) {
  if (!step || !phrase || !phrase.chars) return true;
  return phrase.chars[0] < step.chars[1] && step.chars[0] < phrase.chars[1];
}

// The first step within a phrase.
function startStep(steps, phrase) {
  if (!phrase || !phrase.chars) return 0;
  return Math.max(0, steps.findIndex(({ chars }) => chars[1] > phrase.chars[0]));
}
